"""Every fault once, seen from the client's end of a real socket."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from balance_simulator.faults import FaultError

_DEPOSIT = {"asset": "BTC", "amount": "0.01"}


async def _sequences(caller, socket, count, deposits):
    for _ in range(deposits):
        caller.venue.operate("deposit", _DEPOSIT)
    return [json.loads(await socket.recv())["sequence"] for _ in range(count)]


async def test_gap(caller):
    """Two frames are lost while the sequence counts on."""
    socket = await caller.subscribe()
    caller.venue.fault("gap", count=2)
    assert await _sequences(caller, socket, 2, 4) == [4, 5]


async def test_faults_of_frames_wait_for_a_subscriber(caller):
    """Without a subscriber no frame fault is used up."""
    caller.venue.fault("gap")
    caller.venue.operate("deposit", _DEPOSIT)
    assert caller.venue.statistics()["faults_armed"] == ["gap"]


async def test_duplicate(caller):
    """The last frame comes once more, unchanged."""
    socket = await caller.subscribe()
    caller.venue.operate("deposit", _DEPOSIT)
    first = await socket.recv()
    caller.venue.fault("duplicate")
    assert await socket.recv() == first


async def test_reorder(caller):
    """The next two frames change places."""
    socket = await caller.subscribe()
    caller.venue.fault("reorder")
    assert await _sequences(caller, socket, 3, 3) == [3, 2, 4]


async def test_truncate(caller):
    """One frame is cut and cannot be read; the next has the next number."""
    socket = await caller.subscribe()
    caller.venue.fault("truncate")
    caller.venue.operate("deposit", _DEPOSIT)
    with pytest.raises(json.JSONDecodeError):
        json.loads(await socket.recv())
    assert await _sequences(caller, socket, 1, 1) == [3]


async def test_raw(caller):
    """Any text reaches subscribers as it is, as often as asked for."""
    socket = await caller.subscribe()
    caller.venue.fault("raw", text='{"balance":NaN}', count=2)
    assert [await socket.recv() for _ in range(2)] == ['{"balance":NaN}'] * 2
    assert caller.venue.statistics()["faults_armed"] == []


async def test_raw_text_is_not_numbered_here(caller):
    """A venue that cannot number other's text says so, and stays well."""
    with pytest.raises(FaultError, match="numbers"):
        caller.venue.fault("raw", text="{}", numbered=True)
    assert caller.venue.statistics()["faults_armed"] == []


async def test_silence_ends_and_what_was_held_follows(running):
    """For half a second not even a ping is answered; then everything comes."""
    async with running(heartbeat_s=0.05) as caller:
        socket = await caller.subscribe()
        caller.venue.fault("silence", seconds=0.5)
        caller.venue.operate("deposit", _DEPOSIT)
        await socket.send('{"method":"ping"}')
        ping = await socket.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
        assert not ping.done()
        assert json.loads(await asyncio.wait_for(socket.recv(), 1))["sequence"] == 2
        assert json.loads(await socket.recv())["method"] == "pong"


async def test_silence_may_lose_what_was_said(caller):
    """Lost frames leave a gap behind."""
    socket = await caller.subscribe()
    caller.venue.fault("silence", seconds=0.2, lose=True)
    caller.venue.operate("deposit", _DEPOSIT)
    (client,) = caller.venue.server.sessions
    while client.silent:  # noqa: ASYNC110 - a real timer is what is tested
        await asyncio.sleep(0.02)
    assert await _sequences(caller, socket, 1, 1) == [3]


async def test_half_open(caller):
    """The old connection is dead without a word; a new one works."""
    dead = await caller.subscribe()
    caller.venue.fault("half_open")
    live = await caller.subscribe()
    assert await _sequences(caller, live, 1, 1) == [2]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(dead.recv(), 0.1)


async def test_lapse(caller):
    """Nothing is told any more, no heartbeat either, and pings are answered."""
    socket = await caller.subscribe()
    caller.venue.fault("lapse")
    await socket.send('{"method":"ping"}')
    assert "pong" in await socket.recv()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.recv(), 1.5)


async def test_mute(caller):
    """Only what shows that the venue is there is not told; the socket answers."""
    socket = await caller.subscribe()
    caller.venue.fault("mute", seconds=60)
    await socket.send('{"method":"ping"}')
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.recv(), 1.5)
    await asyncio.wait_for(await socket.ping(), 5)
    assert await _sequences(caller, socket, 1, 1) == [2]


@pytest.mark.parametrize(
    ("arguments", "code"), [({"code": 1012}, 1012), ({"abort": True}, 1006)]
)
async def test_close(caller, arguments, code):
    """The connection ends with the code asked for, or abruptly."""
    socket = await caller.subscribe()
    caller.venue.fault("close", **arguments)
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    assert socket.close_code == code


async def test_maintenance(running):
    """Status says so, subscribing and REST fail, and all is well again after it."""
    async with running(heartbeat_s=0.05) as caller:
        socket = await caller.connect()
        token = await caller.token()
        caller.venue.fault("maintenance", seconds=0.5)
        status = json.loads(await socket.recv())
        assert status["data"][0]["system"] == "maintenance"
        ack = await caller.ask(socket, "subscribe", channel="balances", token=token)
        assert ack["error"] == "EService:Unavailable"
        assert (await caller.rest("Balance"))["error"] == ["EService:Unavailable"]
        again = json.loads(await asyncio.wait_for(socket.recv(), 2))
        assert again["data"][0]["system"] == "online"
        assert (await caller.rest("Balance"))["error"] == []


async def test_clear_ends_maintenance_at_once(caller):
    """Clear is the end of every trouble."""
    socket = await caller.connect()
    caller.venue.fault("maintenance", seconds=100)
    caller.venue.fault("clear")
    states = [json.loads(await socket.recv())["data"][0]["system"] for _ in range(2)]
    assert states == ["maintenance", "online"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("invalid_session", "ESession:Invalid session"),
        ("permission_denied", "EGeneral:Permission denied"),
    ],
)
async def test_subscribe_is_refused(caller, fault, error):
    """One subscribe is refused even with a fresh token; the next succeeds."""
    caller.venue.fault(fault)
    socket = await caller.connect()
    token = await caller.token()
    ask = {"channel": "balances", "token": token}
    assert (await caller.ask(socket, "subscribe", **ask))["error"] == error
    assert (await caller.ask(socket, "subscribe", **ask))["success"] is True


async def test_invalid_session_kills_old_tokens(caller):
    """A token from before is worthless."""
    token = await caller.token()
    caller.venue.fault("invalid_session", count=0)
    ask = {"channel": "balances", "token": token}
    ack = await caller.ask(await caller.connect(), "subscribe", **ask)
    assert ack["error"] == "ESession:Invalid session"


async def test_refuse_connections(caller):
    """The handshake answers as asked for while the fault lasts."""
    caller.venue.fault("refuse_connections", seconds=100, status=408)
    with pytest.raises(InvalidStatus) as refused:
        await caller.connect()
    assert refused.value.response.status_code == 408
    caller.venue.fault("clear")
    await caller.connect()


async def test_slow_snapshot(running):
    """The snapshot comes late, and no update before it."""
    async with running(heartbeat_s=0.1) as caller:
        caller.venue.fault("slow_snapshot", seconds=0.25)
        socket = await caller.connect()
        token = await caller.token()
        await caller.ask(socket, "subscribe", channel="balances", token=token)
        caller.venue.operate("deposit", _DEPOSIT)
        text = await socket.recv()
        while "heartbeat" in text:
            text = await socket.recv()
        assert text.endswith('"type":"snapshot","sequence":1}')
        assert '"id":"main","balance":1011.2008877900}' in text
        assert await _sequences(caller, socket, 1, 1) == [2]


@pytest.mark.parametrize(
    ("fault", "arguments", "status", "start"),
    [
        ("html", {}, 520, "<!DOCTYPE"),
        ("html", {"status": 200}, 200, "<!DOCTYPE"),
        ("raw", {"to": "rest", "text": '{"error":[]}'}, 200, '{"error":[]}'),
        ("nonce", {}, 200, '{"error":["EAPI:Invalid nonce"]}'),
        ("rate_limit", {}, 200, '{"error":["EAPI:Rate limit exceeded"]}'),
        ("throttle", {}, 200, '{"error":["EService: Throttled: '),
        ("lockout", {}, 200, '{"error":["EGeneral:Temporary lockout"]}'),
        ("error", {"text": "EAPI:Bad request"}, 200, '{"error":["EAPI:Bad request"]}'),
        ("delay", {"seconds": 0.01}, 200, '{"error":[],'),
        ("truncate", {"to": "rest"}, 200, '{"error":[],'),
    ],
)
async def test_rest_faults(caller, fault, arguments, status, start):
    """Each fault of REST answers as asked for over the wire."""
    assert (await caller.control("fault", {"fault": fault, **arguments}))[0] == 200
    given, text = await caller.raw("/0/private/Balance")
    assert (given, text[: len(start)]) == (status, start)
