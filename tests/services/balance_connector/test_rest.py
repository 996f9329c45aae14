"""Calls over a real loopback connection."""

import asyncio
import itertools

import pytest
from aiohttp import web

from balance_connector.rest import Nonces, RestClient
from balance_connector.venue import Request
from balance_shared.clock import SystemClock
from balance_shared.errors import VenueUnavailable
from balance_shared.testing import ManualClock


@pytest.fixture(name="venue")
async def _venue():
    """Return (base URL, requests seen) of a server that echoes."""
    seen = []

    async def echo(request: web.Request) -> web.Response:
        seen.append((request, await request.read()))
        await asyncio.sleep(0)
        return web.Response(body=b"answer", status=int(request.query.get("s", 200)))

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently("/elsewhere")

    app = web.Application()
    app.add_routes([web.route("*", "/echo", echo), web.post("/moved", moved)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


async def test_bytes_and_headers_arrive_as_signed(venue):
    """The body is not encoded again."""
    url, seen = venue
    body = b"nonce=1&x=%C3%A4+b"
    request = Request("POST", "/echo", "Echo", {"API-Sign": "abc="}, body)
    async with RestClient(url, SystemClock()) as rest:
        answer = await rest.call(Nonces(SystemClock(), 1000), lambda *_: request)

    ((received, sent),) = seen
    assert body == sent
    assert "abc=" == received.headers["API-Sign"]
    assert received.headers["User-Agent"].startswith("balance-bus/")
    assert (200, b"answer") == (answer.response.status, answer.response.body)


async def test_path_and_query_arrive_as_signed(venue):
    """What the signature covers is not quoted in another way on its way."""
    url, seen = venue
    request = Request("GET", "/echo?a=%2F%7E+%e2%82%b9&b=1%7C2", "Echo")
    async with RestClient(url, SystemClock()) as rest:
        await rest.call(Nonces(SystemClock(), 1000), lambda *_: request)

    assert request.path == seen[0][0].raw_path


async def test_error_status_is_an_answer(venue):
    """The body of an error says what it is: it is handed on."""
    async with RestClient(venue[0], SystemClock()) as rest:
        request = Request("GET", "/echo?s=500", "Echo")
        answer = await rest.call(Nonces(SystemClock(), 1000), lambda *_: request)

    assert 500 == answer.response.status


async def test_redirect_is_not_followed(venue):
    """A redirected POST would lose its body."""
    async with RestClient(venue[0], SystemClock()) as rest:
        request = Request("POST", "/moved", "Moved", {}, b"nonce=1")
        answer = await rest.call(Nonces(SystemClock(), 1000), lambda *_: request)

    assert 301 == answer.response.status


async def test_unreachable_venue_is_unavailable():
    """Nobody listens: that passes."""
    async with RestClient("http://127.0.0.1:9", SystemClock()) as rest:
        with pytest.raises(VenueUnavailable, match=r"127\.0\.0\.1:9"):
            await rest.call(
                Nonces(SystemClock(), 1000), lambda *_: Request("GET", "/", "x")
            )


async def test_calls_of_one_key_arrive_in_the_order_of_their_nonces(venue):
    """The lock is held from making a nonce to the answer."""
    url, seen = venue
    nonces = Nonces(SystemClock(), 1_000_000_000)

    def make(nonce: int, _now) -> Request:
        return Request("POST", "/echo", "Echo", {}, str(nonce).encode())

    async with RestClient(url, SystemClock()) as rest:
        await asyncio.gather(*(rest.call(nonces, make) for _ in range(20)))

    arrived = [int(body) for _, body in seen]
    assert sorted(arrived) == arrived
    assert 20 == len(set(arrived))


def test_nonces_grow_though_the_clock_stands_still():
    """Equal times give different nonces."""
    nonces = Nonces(ManualClock(), 1_000_000_000)
    made = [nonces.next() for _ in range(5)]

    assert all(later > earlier for earlier, later in itertools.pairwise(made))


def test_nonces_have_the_venues_resolution():
    """Nanoseconds for Kraken, microseconds where 2^53 is the limit."""
    clock = ManualClock()
    seconds = int(clock.now().timestamp())

    assert seconds * 10**9 == Nonces(clock, 10**9).next()
    assert seconds * 10**6 == Nonces(clock, 10**6).next()
