"""The whole venue: over sockets, in memory, and by its control interface."""

import json
from decimal import Decimal

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from balance_simulator.loopback import Loopback
from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.venue import NdaxVenue, ZeroHashVenue


def test_page_samples_are_told_by_a_running_venue(desk):
    """The pages' messages, but for the ids and times that a venue draws itself."""
    one = desk(
        platform="XXX456",
        funded=False,
        indent=True,
        amount_form="kept",
        snapshot_run="unknown",
        movement_extras=False,
        update_run_id="int",
        time_digits=9,
    )
    one.operate("subaccount", code="ABC123")
    one.operate("deposit", participant="ABC123", asset="BTC", amount="1.00")
    peer = one.connect()
    one.venue.connections.heard(peer, one.message("subscribe", {}))
    assert peer.told[0].startswith(
        '{\n    "messageType": "initial-balance",\n    "body": [\n        {\n'
        '            "account_id": "'
    )
    row = {
        "participant_code": "ABC123",
        "account_group": "XXX456",
        "account_label": "general",
        "account_type": "available",
        "asset": "BTC",
    }
    shown = peer.take()[0]["body"][0]
    shown.pop("account_id")
    assert row | {"balance": "1.00", "run_id": 94081, "run_type": "unknown"} == shown
    one.operate(
        "deposit",
        participant="ABC123",
        asset="BTC",
        amount="0.01",
        deposit_reference_id="deposit 123",
        source="deposit 123 sending address",
        received_address="deposit 123 received address",
    )
    body = peer.take()[0]["body"]
    (moved,) = body.pop("movements")
    assert 30 == len(body.pop("run_timestamp"))
    told = {"balance": "1.01", "run_id": 94082, "run_type": "deposit"}
    assert row | told == body
    assert [
        "movement_timestamp",
        "movement_id",
        "movement_type",
        "deposit_reference_id",
        "change",
        "source",
        "received_address",
    ] == list(moved)


def test_truth_tells_books_owners_and_what_is_pending(desk):
    """Exact strings by subaccount, asset and account type; zeros are there."""
    one = desk(subaccounts=1)
    given = {"asset": "BTC", "amount": "12.5"}
    request = one.venue.operate("request_withdrawal", given)["request"]
    trade = one.operate("execute_trade", base="ETH", volume="1", price="2")["trade"]
    truth = one.venue.truth()
    assert {"PLAT01/PLAT01/general", "PLAT01C00001/PLAT01/general"} == set(
        truth["balances"]
    )
    btc = truth["balances"]["PLAT01/PLAT01/general"]["BTC"]
    assert {
        "available": "0.00000000",
        "receivable": "0.25000000",
        "collateral": "12.5",
    } == btc
    assert ({"simulated-key": "PLAT01"}, "USDC", [trade]) == (
        truth["owners"],
        truth["plain"]["USDC.SOL"],
        truth["unsettled"],
    )
    assert {
        request: ["PLAT01", "PLAT01", "general", "available", "BTC", "12.5"]
    } == truth["pending"]


def test_lines_are_told_newest_last(desk):
    """What each run did to each account, by participant if asked for."""
    one = desk(subaccounts=1)
    one.operate("deposit", asset="BTC", amount="1", participant=1)
    one.operate("deposit", asset="BTC", amount="2")
    assert ["1", "2"] == [line["change"] for line in one.venue.lines(2, None)["lines"]]
    (line,) = one.venue.lines(1, "PLAT01C00001")["lines"]
    assert ("2.25000000", "deposit") == (line["balance"], line["run_type"])


def test_maintenance_closes_refuses_and_ends(desk):
    """Connections are closed, new ones refused with 503, until it is over."""
    one = desk()
    peer, _ = one.subscribe()
    one.venue.fault("maintenance", seconds=5)
    assert [(1012, "service restart")] == peer.take()
    assert (503, 503) == (one.venue.connections.refusal(), one.get("/accounts").status)
    one.now_us += 5_000_000
    assert (None, 200) == (one.venue.connections.refusal(), one.get("/accounts").status)


def test_address_off_the_list_is_shut_out(desk):
    """Connections are cut and refused with 403."""
    one = desk()
    peer, _ = one.subscribe()
    one.venue.fault("forbidden")
    assert [(1006, "")] == peer.take()
    assert 403 == one.venue.connections.refusal()


def test_huge_picture_is_one_message(desk):
    """Twenty thousand accounts are told at once and read as JSON."""
    one = desk(funded=False)
    assert 20_000 == one.venue.picture({"accounts": 20_000})["loaded"]
    _, rows = one.subscribe()
    assert 20_000 == len(rows) == len({row["account_id"] for row in rows})


def test_picture_may_be_announced(desk):
    """New accounts can be told as updates, too."""
    one = desk()
    peer, _ = one.subscribe()
    one.venue.picture({"accounts": 5, "announce": True})
    assert 5 == len(peer.take())


@pytest.mark.parametrize("load", [True, False])
async def test_traffic_makes_as_much_as_asked_for(desk, load):
    """Updates are counted by message, in load mode and in the other."""
    one = desk(subaccounts=2)
    peer, _ = one.subscribe()
    one.venue.traffic({"rate": 0, "count": 500, "load": load, "seed": 3})
    await one.venue.traffic_finished()
    assert 500 == len(peer.take()) == one.venue.traffic({})["done"]


def test_statistics_tell_pings_and_subscriptions(desk):
    """Whoever asks for too much, or pings too seldom, is seen here."""
    one = desk()
    peer, _ = one.subscribe(asset="BTC")
    one.say(peer, one.message("ping"))
    stats = one.venue.statistics()
    assert {"signed": 1} == stats["pings"]
    assert [
        {"owner": "PLAT01", "multi_chain": True, "filter": {"asset": "BTC"}}
    ] == stats["subscriptions"][0]["scopes"]
    assert {"picture": 1, "pong": 1} == stats["frames"]


@pytest.mark.parametrize(
    ("kind", "settings", "name"),
    [(ZeroHashVenue, ZeroHashSettings, "zerohash"), (NdaxVenue, NdaxSettings, "ndax")],
)
async def test_conversation_over_sockets(desk, kind, settings, name):
    """Picture, update, pong and REST on one port of a real venue."""
    one = desk(settings)
    venue = kind(clock=lambda: one.now_us)
    assert name == venue.name
    async with venue, connect(venue.ws_url, compression=None) as socket:
        await socket.send(one.message("subscribe", {"filter": {"asset": "BTC"}}))
        assert 2 == len(json.loads(await socket.recv())["body"])
        venue.operate("deposit", {"asset": "BTC", "amount": "0.01"})
        told = json.loads(await socket.recv())["body"]
        assert Decimal("12.51") == Decimal(told["balance"])
        await socket.send(one.message("ping"))
        assert '{"messageType":"pong"}' == await socket.recv()
        async with aiohttp.ClientSession() as http:
            status, body = await _get(http, venue, one, "/accounts?asset=BTC&page=1")
            assert (200, 2) == (status, len(body["message"]))
            status, body = await _get(http, venue, one, "/control/truth", signed=False)
            assert (200, venue.truth()) == (status, body)


async def _get(http, venue, one, target, *, signed=True):
    headers = _headers(one, target) if signed else {}
    async with http.get(venue.rest_url + target, headers=headers) as answer:
        return answer.status, await answer.json()


def _headers(one, target):
    seen = {}
    one.venue.answer = lambda call, _now_us: seen.update(call.headers)
    one.get(target)
    return seen


async def test_conversation_in_memory(desk):
    """The same over the loopback, where a wrong path and a closed door are errors."""
    one = desk()
    loopback = Loopback(one.venue)
    async with loopback.connect("ws://venue/") as socket:
        await socket.send(one.message("subscribe", {}).encode())
        assert b"initial-balance" in await socket.recv(decode=False)
        await socket.send(one.message("subscribe", {}, key="other"))
        assert "Invalid API key" in await socket.recv()
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    status, body = await loopback.rest(
        "GET", "/accounts?page=1", _headers(desk(), "/accounts?page=1")
    )
    assert (200, 16) == (status, len(json.loads(body)["message"]))
    one.venue.fault("forbidden")
    with pytest.raises(InvalidStatus):
        await loopback.connect("ws://venue/")
    one.venue.fault("maintenance")
    with pytest.raises(OSError, match="refuse"):
        await loopback.connect("ws://venue/")
