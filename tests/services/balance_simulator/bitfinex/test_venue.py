"""The venue as one object, over sockets and in memory."""

import hashlib
import hmac
import json
from decimal import Decimal

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from balance_simulator.bitfinex.settings import BitfinexSettings
from balance_simulator.bitfinex.venue import BitfinexVenue


def _read(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def _log_in(socket, settings, **members):
    """Log in as the pages say; return the frames up to the picture of the wallets."""
    secret = settings.api_secret.encode()
    sign = hmac.new(secret, b"AUTH17", hashlib.sha384).hexdigest()
    event = {"apiKey": settings.api_key, "authNonce": 17, "authPayload": "AUTH17"}
    conf = {"event": "conf", "flags": 98_304}
    for message in (conf, event | {"event": "auth", "authSig": sign} | members):
        await socket.send(json.dumps(message))
    return [_read(await socket.recv()) for _ in range(4)]


class _Follower:
    """Books kept from the frames alone."""

    def __init__(self, picture):
        self.sequence = picture[3]
        self.books = {tuple(row[:2]): row[2] for row in picture[2]}

    def take(self, frame):
        """Take in a frame whose number is due."""
        self.sequence += 1
        assert self.sequence == frame[2 if frame[1] == "hb" else 3]
        if frame[1] == "wu":
            self.books[tuple(frame[2][:2])] = frame[2][2]


def _truth(venue):
    (books,) = venue.truth()["balances"].values()
    return {
        (wallet, code): Decimal(text)
        for code, wallets in books.items()
        for wallet, text in wallets.items()
    }


async def test_follower_over_a_socket_ends_with_the_truth():
    """Picture plus every update equals the venue's books, also under load."""
    async with (
        BitfinexVenue(BitfinexSettings(seed=11)) as venue,
        connect(venue.ws_url, compression=None) as socket,
    ):
        info, _, auth, picture = await _log_in(
            socket, venue.settings, filter=["wallet"]
        )
        assert (2, "OK") == (info["version"], auth["status"])
        follower = _Follower(picture)
        for arguments in ({"count": 300}, {"count": 300, "load": True}):
            venue.traffic(arguments)
            for _ in range(300):
                follower.take(_read(await socket.recv()))
        assert _truth(venue) == follower.books
        (told,) = venue.statistics()["subscriptions"]
        assert (98_304, ["wallet"], 601) == (
            told["flags"],
            told["filter"],
            told["sequence"],
        )


async def test_rest_over_a_socket_reads_its_paths():
    """Colons and commas of a public path arrive, and wrong calls answer 500."""
    async with BitfinexVenue() as venue, aiohttp.ClientSession() as http:
        path = "/v2/conf/pub:map:currency:sym,pub:list:currency"
        async with http.get(venue.rest_url + path) as answer:
            symbols, listed = await answer.json()
        assert ["UST", "USDt"] in symbols
        assert "UST" in listed
        async with http.post(f"{venue.rest_url}/v2/auth/r/wallets") as answer:
            assert (500, ["error", 10_100, "apikey: invalid"]) == (
                answer.status,
                await answer.json(),
            )


def test_an_hour_of_traffic_takes_no_hour(in_virtual_time):
    """In memory, heartbeats and traffic of an hour end with the truth."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            told = await _log_in(socket, venue.settings, filter=["wallet", "balance"])
            follower = _Follower(told[3])
            venue.traffic({"rate": 0.5, "count": 1000})
            beats = 0
            while beats < 240:
                frame = _read(await socket.recv(decode=False))
                beats += frame[1] == "hb"
                follower.take(frame)
            return follower.books == _truth(venue)

    elapsed_s, equal = in_virtual_time(
        lambda clock: BitfinexVenue(BitfinexSettings(), clock), steps
    )
    assert equal
    assert 3599 < elapsed_s < 3700


def test_equal_seeds_say_equal_things(in_virtual_time):
    """Two runs in memory tell the same bytes at the same times."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            await _log_in(socket, venue.settings)
            venue.traffic({"rate": 3, "count": 50})
            return [await socket.recv(decode=False) for _ in range(100)]

    first, second = (
        in_virtual_time(lambda clock: BitfinexVenue(clock=clock), steps)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(("lose", "expected"), [(False, [2, 3, 4]), (True, [4])])
def test_silence_leaves_a_gap_where_frames_are_lost(in_virtual_time, lose, expected):
    """Of a minute's heartbeats and an update, held frames come late, lost ones never."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            await _log_in(socket, venue.settings, filter=["wallet"])
            venue.fault("silence", seconds=20, lose=lose)
            venue.operate("deposit", {"asset": "BTC", "amount": "1"})
            frames = [_read(await socket.recv()) for _ in expected]
            return [frame[2 if frame[1] == "hb" else 3] for frame in frames]

    assert (
        expected == in_virtual_time(lambda clock: BitfinexVenue(clock=clock), steps)[1]
    )


def test_restart_is_told_and_closes(in_virtual_time):
    """Info 20051 comes before code 1012."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            await _log_in(socket, venue.settings, filter=["wallet"])
            venue.fault("restart")
            told = _read(await socket.recv())
            with pytest.raises(ConnectionClosedError) as closed:
                await socket.recv()
            return told["code"], closed.value.rcvd.code

    assert (20_051, 1012) == in_virtual_time(
        lambda clock: BitfinexVenue(clock=clock), steps
    )[1]


def test_lines_and_truth_are_exact_texts(desk):
    """Every digit of the books can be read, and who asks for another gets nothing."""
    (line,) = desk.venue.lines(1, None)["lines"]
    assert ("BTC", "funding", "0") == (line["asset"], line["wallet"], line["balance"])
    assert [] == desk.venue.lines(5, "nobody")["lines"]
    truth = desk.venue.truth()
    (books,) = truth["balances"].values()
    assert "25000.123456789012345678" == books["UST"]["funding"]
    assert [line["ledger_id"]] == list(truth["last_ledger_id"].values())


def test_big_picture_is_announced_where_asked(desk):
    """Clients hear of each new currency when told to."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.picture({"assets": 5})
    assert [] == ear.heard()
    desk.venue.picture({"assets": 5, "announce": True})
    assert 5 == len(ear.heard())
