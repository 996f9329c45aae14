"""Listening on a port."""

import pytest
from aiohttp import web

from balance_simulator.listener import Listener


async def test_free_port_is_told():
    """Port 0 becomes a real one, and the address cannot be taken twice."""
    first = Listener("127.0.0.1", 0)
    await first.start(web.Application())
    try:
        assert first.port > 0
        second = Listener("127.0.0.1", first.port)
        with pytest.raises(OSError, match="address"):
            await second.start(web.Application())
    finally:
        await first.stop()
    await first.stop()
