"""The venue's end of a connection."""

import asyncio
import json

import pytest

from balance_simulator.clients import text_frame


@pytest.mark.parametrize(
    ("length", "header"),
    [(5, "8105"), (126, "817e007e"), (65_536, "817f0000000000010000")],
)
def test_frames_have_the_header_of_rfc_6455(length, header):
    """Short, medium and long texts have a length of 7, 16 and 64 bits."""
    frame = text_frame("x" * length)
    assert frame == bytes.fromhex(header) + b"x" * length


async def test_slow_reader_holds_up_nobody(running):
    """A client which does not read is cut off; another gets every frame."""
    async with running(queue_max=3_000) as caller:
        slow = await caller.subscribe()
        slow.transport.pause_reading()
        quick = await caller.subscribe()
        loop = asyncio.get_running_loop()
        caller.venue.traffic({"count": 30_000, "rate": 30_000, "load": True})
        sequence = 1
        started = loop.time()
        while sequence < 30_001:
            frame = json.loads(await quick.recv())
            assert frame["sequence"] == sequence + 1
            sequence += 1
        assert loop.time() - started < 30
        assert caller.venue.server.cut_off == 1
        assert caller.venue.statistics()["connections"] == 1
        slow.transport.abort()


async def test_protocol_ping_is_answered(caller):
    """The server answers a WebSocket ping."""
    socket = await caller.connect()
    assert await asyncio.wait_for(await socket.ping(), 1) >= 0
