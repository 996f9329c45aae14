"""The scripted socket says its frames, then waits, closes or is broken off."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from balance_shared.testing import ScriptedSocket


async def test_frames_come_in_order_then_the_close():
    """All that was said is heard before the close is."""
    socket = ScriptedSocket(b"1", b"2")
    socket.say(b"3")
    socket.close()
    async with socket.connect("ws://anywhere") as connected:
        heard = [await connected.recv(decode=False) for _ in range(3)]
        assert [b"1", b"2", b"3"] == heard
        with pytest.raises(ConnectionClosed):
            await connected.recv(decode=False)


async def test_silence_waits_for_more():
    """Without a frame the reader waits, as on a real socket."""
    socket = ScriptedSocket()
    task = asyncio.create_task(socket.recv(decode=False))
    await asyncio.sleep(0)
    assert not task.done()
    socket.say(b"late")
    assert await task == b"late"


async def test_what_is_sent_is_noted():
    """Tests look at what a runner said."""
    socket = ScriptedSocket()
    await socket.send(b"subscribe", text=True)
    assert [b"subscribe"] == socket.sent


async def test_break_from_our_side_is_noted_and_ends_reading():
    """A watchdog that breaks the connection off wakes the reader."""
    socket = ScriptedSocket()
    socket.transport.abort()
    assert socket.aborted
    with pytest.raises(ConnectionClosed):
        await socket.recv(decode=False)
