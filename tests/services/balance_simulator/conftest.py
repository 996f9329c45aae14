"""A venue on a real port, and a client written from Kraken's pages alone."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from balance_shared.testing.virtual_time import VirtualTimeLoop
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.venue import KrakenVenue
from balance_simulator.loopback import Loopback

_nonces = itertools.count(time.time_ns())


def sign(secret: str, path: str, nonce: int, body: bytes) -> str:
    """Sign as "Spot REST Authentication" says."""
    inner = hashlib.sha256(str(nonce).encode() + body).digest()
    outer = hmac.new(base64.b64decode(secret), path.encode() + inner, hashlib.sha512)
    return base64.b64encode(outer.digest()).decode()


def read(text):
    """Read JSON with every number as a decimal."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@dataclass
class Caller:
    """A client of one venue."""

    venue: KrakenVenue
    http: aiohttp.ClientSession
    sockets: list = field(default_factory=list)

    async def raw(self, path, body=None, headers=None, content_type=None):
        """Call a private endpoint; return status and text."""
        nonce = next(_nonces)
        if body is None:
            body = f"nonce={nonce}".encode()
        given = {
            "API-Key": self.venue.settings.api_key,
            "API-Sign": sign(self.venue.settings.api_secret, path, nonce, body),
            "Content-Type": content_type or "application/x-www-form-urlencoded",
        } | (headers or {})
        url = self.venue.rest_url + path
        async with self.http.post(url, data=body, headers=given) as answer:
            return answer.status, await answer.text()

    async def rest(self, endpoint, **parameters):
        """Call a private endpoint with JSON; return its whole answer."""
        nonce = next(_nonces)
        path = f"/0/private/{endpoint}"
        body = json.dumps({"nonce": nonce, **parameters}).encode()
        headers = {"API-Sign": sign(self.venue.settings.api_secret, path, nonce, body)}
        _, text = await self.raw(path, body, headers, "application/json")
        return read(text)

    async def token(self):
        """Fetch a WebSocket token."""
        return (await self.rest("GetWebSocketsToken"))["result"]["token"]

    async def connect(self) -> ClientConnection:
        """Connect and take the status frame."""
        socket = await connect(
            self.venue.ws_url, close_timeout=0.2, compression=None, max_size=None
        )
        self.sockets.append(socket)
        await socket.recv()
        return socket

    async def ask(self, socket, method, **params):
        """Send one request and return the next frame."""
        request = {"method": method, "params": params, "req_id": 7}
        await socket.send(json.dumps(request))
        return read(await socket.recv())

    async def subscribe(self, **params) -> ClientConnection:
        """Connect, subscribe, and take ack and snapshot."""
        socket = await self.connect()
        ack = await self.ask(
            socket, "subscribe", channel="balances", token=await self.token(), **params
        )
        assert ack["success"] is True
        if ack["result"]["snapshot"]:
            assert read(await socket.recv())["sequence"] == 1
        return socket

    async def control(self, name, body=None):
        """Ask the control interface."""
        url = f"{self.venue.rest_url}/control/{name}"
        call = self.http.get(url) if body is None else self.http.post(url, json=body)
        async with call as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def _running(**settings) -> AsyncIterator[Caller]:
    venue = KrakenVenue(KrakenSettings(**settings))
    async with venue, aiohttp.ClientSession() as http:
        caller = Caller(venue, http)
        yield caller
        for socket in caller.sockets:
            await socket.close()


@pytest.fixture
def running():
    """Return a context manager that runs a venue with given settings."""
    return _running


@pytest.fixture
async def caller():
    """Return a client of a running venue with the default settings."""
    async with _running() as caller:
        yield caller


@pytest.fixture
def in_virtual_time():
    """Return what runs steps with a venue in memory: seconds it took, and its result.

    It takes what makes a venue of a clock, and a coroutine function which is given the
    venue and the way to it.
    """

    def run(make, steps):
        loop = VirtualTimeLoop()
        venue = make(lambda: round(loop.time() * 1_000_000))
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            told = runner.run(steps(venue, Loopback(venue)))
            return loop.time(), told

    return run
