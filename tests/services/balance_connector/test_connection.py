"""What a venue says where it lets nobody in, and what its socket says for it."""

import asyncio

import pytest
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from balance_connector import connection
from balance_connector.connection import connected
from balance_shared.errors import VenueUnavailable


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (503, {}, 0),
        (503, {"Retry-After": "30"}, 30),
        (429, {}, 5),
        (429, {"Retry-After": "1"}, 5),
        (429, {"Retry-After": "99999"}, 900),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 5),
    ],
)
async def test_pause_that_a_venue_asks_for_is_kept(
    monkeypatch, status, headers, wait_s
):
    """Within reason: a ban lasts as long as somebody knocks."""

    async def refused(*_args, **_options):
        raise InvalidStatus(Response(status, "no", Headers(headers)))

    monkeypatch.setattr(connection, "connect", refused)
    with pytest.raises(VenueUnavailable, match=f"HTTP {status}") as caught:
        async with connected("ws://venue"):
            raise AssertionError
    assert wait_s == caught.value.retry_after_s


async def test_socket_answers_pings_though_nobody_speaks():
    """That is what shows life where a venue has no heartbeats."""

    async def mute(socket):
        await socket.wait_closed()

    async with serve(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connected(f"ws://127.0.0.1:{port}") as socket:
            pong = await socket.ping()
            await asyncio.wait_for(pong, 5)
            assert pong.done()
