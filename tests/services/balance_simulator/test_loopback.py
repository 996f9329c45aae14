"""A venue in memory, driven by a loop whose time runs as fast as its tasks."""

import asyncio
import json

import pytest
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
)

from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.venue import KrakenVenue


@pytest.fixture
def play(in_virtual_time):
    """Return what runs a play with a stand-in Kraken in virtual time."""

    def run(steps, **settings):
        return in_virtual_time(
            lambda clock: KrakenVenue(KrakenSettings(**settings), clock), steps
        )

    return run


async def _subscribed(venue, socket):
    token = venue.state.tokens.issue(venue.state.keys.keys["simulated-key"], 0)
    params = {"channel": "balances", "token": token}
    await socket.send(json.dumps({"method": "subscribe", "params": params}).encode())
    frames = [json.loads(await socket.recv(decode=False)) for _ in range(3)]
    assert ["status", None, "balances"] == [frame.get("channel") for frame in frames]


def test_a_minute_of_heartbeats_takes_no_minute(play):
    """Heartbeats come each second of virtual time."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            await _subscribed(venue, socket)
            return [await socket.recv() for _ in range(60)]

    elapsed_s, told = play(steps)
    assert ['{"channel":"heartbeat"}'] * 60 == told
    assert 60 <= elapsed_s < 76


def test_silence_holds_frames_back_until_it_ends(play):
    """What was said in five silent seconds comes after them, or is lost."""

    async def steps(venue, loopback):
        loop, deposit = asyncio.get_running_loop(), {"asset": "BTC", "amount": "1"}
        async with loopback.connect(venue.ws_url) as socket:
            await _subscribed(venue, socket)
            venue.fault("silence", seconds=5)
            began_s = loop.time()
            venue.operate("deposit", deposit)
            first = json.loads(await socket.recv(decode=False))
            waited_s = loop.time() - began_s
            venue.fault("half_open")
            venue.operate("deposit", deposit)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 600)
            return first["sequence"], waited_s

    _, (sequence, waited_s) = play(steps)
    assert 2 == sequence
    assert waited_s == pytest.approx(5)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        ({"code": 1001}, ConnectionClosedOK, 1001),
        ({"code": 1012}, ConnectionClosedError, 1012),
        ({"abort": True}, ConnectionClosedError, None),
    ],
)
def test_closing_is_raised_as_websockets_does(play, arguments, kind, code):
    """A close is an error unless its code is 1000 or 1001, and sending fails then."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            await _subscribed(venue, socket)
            venue.fault("close", **arguments)
            with pytest.raises(kind) as closed:
                await socket.recv(decode=False)
            with pytest.raises(kind):
                await socket.send(b"{}")
            assert {} == venue.connections.sessions
            return closed.value.rcvd and closed.value.rcvd.code

    assert code == play(steps)[1]


def test_the_client_may_leave_in_two_ways(play):
    """Closed or aborted by the client, the venue forgets it and reading fails."""

    async def steps(venue, loopback):
        polite = await loopback.connect(venue.ws_url)
        await polite.close()
        with pytest.raises(ConnectionClosedOK):
            await polite.recv()
        rude = await loopback.connect(venue.ws_url)
        rude.transport.abort()
        with pytest.raises(ConnectionClosedError):
            await rude.recv()
        return venue.statistics()

    stats = play(steps)[1]
    assert (0, 2) == (stats["connections"], stats["connections_made"])


def test_refused_connections_are_errors_of_the_network(play):
    """Refusals are OSError; above the limit and on wrong paths a status is told."""

    async def steps(venue, loopback):
        venue.fault("refuse_connections", seconds=5)
        with pytest.raises(OSError, match="refuse"):
            await loopback.connect(venue.ws_url)
        await asyncio.sleep(5)
        with pytest.raises(InvalidStatus) as many:
            await loopback.connect(venue.ws_url)
        with pytest.raises(InvalidStatus) as wrong:
            await loopback.connect("ws://venue/elsewhere")
        return [error.value.response.status_code for error in (many, wrong)]

    assert [429, 404] == play(steps, connections_max=1)[1]


def test_slow_reader_is_cut_off(play):
    """A client that leaves more than the limit unread loses the connection."""

    async def steps(venue, loopback):
        async with loopback.connect(venue.ws_url) as socket:
            await _subscribed(venue, socket)
            venue.traffic({"count": 50})
            await venue.traffic_finished()
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
        return venue.statistics()["slow_readers_cut_off"]

    assert 1 == play(steps, queue_max=20)[1]


def test_rest_is_answered_late_where_asked_for(play):
    """A public call gives status and exact bytes, after the delay of a fault."""

    async def steps(venue, loopback):
        venue.fault("delay", seconds=30)
        path = "/0/public/Assets?asset=XBT"
        return await loopback.rest("GET", path, {"user-agent": "test"})

    elapsed_s, (status, body) = play(steps)
    assert 200 == status
    assert ["XXBT"] == list(json.loads(body)["result"])
    assert 30 <= elapsed_s < 31
