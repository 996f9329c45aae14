"""The venue as one object."""

import json
from collections import defaultdict
from decimal import Decimal

from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.venue import KrakenVenue


async def test_follower_of_the_stream_ends_with_the_truth(running):
    """Snapshot plus every update equals the venue's books, in every wallet."""
    async with running(seed=11) as caller:
        socket = await caller.connect()
        token = await caller.token()
        await caller.ask(socket, "subscribe", channel="balances", token=token)
        books = defaultdict(Decimal)
        for row in _read(await socket.recv())["data"]:
            for wallet in row["wallets"]:
                books[row["asset"], f"{wallet['type']}/{wallet['id']}"] = wallet[
                    "balance"
                ]
        caller.venue.traffic({"count": 500})
        for number in range(500):
            frame = _read(await socket.recv())
            assert frame["sequence"] == number + 2
            (row,) = frame["data"]
            key = (row["asset"], f"{row['wallet_type']}/{row['wallet_id']}")
            books[key] += row["amount"] - row["fee"]
            assert books[key] == row["balance"]
        (truth,) = caller.venue.truth()["balances"].values()
        assert {
            (asset, wallet): Decimal(balance)
            for asset, wallets in truth.items()
            for wallet, balance in wallets.items()
        } == books


def _read(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def test_venue_runs_on_a_given_clock_without_being_started():
    """Books can be driven with no event loop, at times that the test chooses."""
    venue = KrakenVenue(KrakenSettings(), clock=lambda: 1695378222925034)
    done = venue.operate("deposit", {"asset": "BTC", "amount": "0.01"})
    assert done["lines"][0]["timestamp"] == "2023-09-22T10:23:42.925034Z"
    assert venue.lines(1, None)["lines"] == done["lines"]
    assert venue.lines(5, "nobody") == {"lines": []}
    pending = venue.operate("request_withdrawal", {"asset": "BTC", "amount": "1"})
    assert list(venue.truth()["pending"]) == [pending["ref_id"]]


async def test_background_traffic_runs_from_the_start(running):
    """With a rate in the settings lines are written until the venue stops."""
    async with running(rate=2000) as caller:
        socket = await caller.subscribe()
        assert _read(await socket.recv())["type"] == "update"
        assert caller.venue.traffic({})["running"] is True
    assert caller.venue.traffic({})["running"] is False


async def test_big_picture_can_be_announced(caller):
    """A subscriber hears of each new asset when asked to."""
    socket = await caller.subscribe()
    caller.venue.picture({"assets": 3, "announce": True})
    told = [_read(await socket.recv())["data"][0]["asset"] for _ in range(3)]
    assert len(set(told)) == 3


async def test_statistics_tell_what_callers_did(caller):
    """Calls, subscriptions and frames are counted by kind."""
    await caller.subscribe()
    await caller.rest("Balance")
    caller.venue.operate("deposit", {"asset": "BTC", "amount": "1"})
    stats = caller.venue.statistics()
    assert stats["rest_calls"] == {"GetWebSocketsToken": 1, "Balance": 1}
    assert stats["subscribes"] == {"success": 1}
    assert stats["frames"] == {"status": 1, "snapshot": 1, "update": 1}
    assert stats["subscriptions"][0]["sequence"] == 2
    assert stats["rate_limit"]["simulated-key"]["peak"] > 1
    assert stats["invalid_nonces"] == 0


async def test_traffic_begins_again_from_a_seed():
    """The same seed given twice makes the same amounts."""
    venue = KrakenVenue(KrakenSettings(), clock=lambda: 0)
    drawn = []
    for _ in range(2):
        venue.traffic({"count": 20, "seed": 9, "wait": True})
        await venue.traffic_finished()
        drawn.append([line["ref_id"] for line in venue.lines(20, None)["lines"]])
    assert drawn[0] == drawn[1]
