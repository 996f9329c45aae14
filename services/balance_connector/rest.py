"""REST calls to the venue: one nonce at a time for each key, nothing re-encoded."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from balance_connector.opening import ASKED, OK, STATUS
from balance_connector.venue import Request, Response
from balance_shared import VERSION
from balance_shared.clock import Clock
from balance_shared.errors import VenueUnavailable, text_of

TIMEOUT_S = 10.0
"""How long one call may take, in seconds."""

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Largest answer that is read."""

_HEADERS = {"User-Agent": f"balance-bus/{VERSION}"}


class Nonces:
    """Nonces of one API key: always growing, over restarts too, made from the clock.

    Args:
        clock: where the time comes from.
        per_s: resolution (10⁹: nanoseconds, 10⁶: microseconds).
    """

    def __init__(self, clock: Clock, per_s: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._last = 0
        self.lock = asyncio.Lock()

    def next(self) -> int:
        """Return the next nonce; hold `lock` from here until the call is answered."""
        now = self._clock.now()
        micros = int(now.timestamp()) * 1_000_000 + now.microsecond
        self._last = max(micros * self._per_s // 1_000_000, self._last + 1)
        return self._last


class Answer(NamedTuple):
    """A call that was answered."""

    request: Request
    response: Response
    received_at: datetime

    @property
    def attributes(self) -> dict[str, str]:
        """What its frame says beside the bytes: what was asked, and the status."""
        said = {ASKED: self.request.asked}
        if self.response.status != OK:
            said[STATUS] = str(self.response.status)
        return said


class RestClient:
    """Calls one venue; use as an async context manager.

    Args:
        base_url: scheme and host.
        clock: for arrival times.
    """

    def __init__(self, base_url: str, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self, nonces: Nonces, make: Callable[[int, datetime], Request | None]
    ) -> Answer | None:
        """Make, send and have answered one request under the key's nonce lock.

        Args:
            nonces: of the key that signs.
            make: signs a request with the nonce, as of now; None means that there is
                none to make.

        Raises:
            VenueUnavailable: no answer, or one that is too large.
        """
        async with nonces.lock:
            request = make(nonces.next(), self._clock.now())
            if request is None:
                return None
            response = await self.send(request)
        return Answer(request, response, self._clock.now())

    async def send(self, request: Request) -> Response:
        """Send a request as it is; another way to a venue overrides this.

        Raises:
            VenueUnavailable: no answer, or one that is too large.
        """
        if self._session is None:
            raise RuntimeError("use the client as an async context manager")
        where = f"{request.method} {self._base_url}{request.path.split('?')[0]}"
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._base_url}{request.path}", encoded=True),
                data=request.body or None,
                headers=dict(request.headers),
                allow_redirects=False,
            ) as answer:
                return Response(answer.status, await _body(answer.content))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise VenueUnavailable(f"{where}: {text_of(error)}") from error


async def _body(content: aiohttp.StreamReader) -> bytes:
    """Return the whole answer.

    Raises:
        VenueUnavailable: it is larger than `ANSWER_BYTES_MAX`.
    """
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise VenueUnavailable(f"answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)
