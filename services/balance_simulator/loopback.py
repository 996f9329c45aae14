"""A stand-in venue without sockets, for tests in compressed time.

The same sessions and REST answers as ``server`` carries, with the same faults, over
queues in memory::

    venue = KrakenVenue(KrakenSettings(seed=7), clock=clock)
    loopback = Loopback(venue)
    async with loopback.connect(venue.ws_url) as socket:
        await socket.send(b'{"method":"ping"}')
        frame = await socket.recv(decode=False)
    status, body = await loopback.rest("POST", "/0/private/Balance", headers, body)

Nothing is listening: ``venue.start`` is not called. All waiting is done by the event
loop that runs, and all time is the venue's ``clock``, so that a loop with a virtual
time drives the whole deterministically, as long as the clock follows the loop. A
connection behaves as one of ``websockets`` does where it offers the same methods.
"""

import asyncio
from collections.abc import Generator, Mapping
from http import HTTPStatus
from typing import Any, overload
from typing import Literal as Only
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
)
from websockets.frames import Close
from websockets.http11 import Response

from balance_simulator.calls import Call
from balance_simulator.connections import Connections
from balance_simulator.exact import MICROSECONDS
from balance_simulator.faults import Fault
from balance_simulator.venue import Venue
from balance_simulator.waiting import Waiting

_OK_CODES = {1000, 1001}


class Line(Waiting):
    """The venue's end of one connection in memory: a ``Peer``.

    Args:
        connections: who is connected.
    """

    def __init__(self, connections: Connections[Any]) -> None:
        super().__init__(connections.clock, connections.memory.settings.queue_max)
        self.ended: ConnectionClosed | None = None
        self._connections = connections

    @property
    def gone(self) -> bool:
        """Whether the connection is over."""
        return self.ended is not None

    @property
    def silent_s(self) -> float | None:
        """How long the silence still lasts, in seconds; None without an end."""
        if self._silent_until_us == float("inf"):
            return None
        return max(0.0, (self._silent_until_us - self._clock()) / MICROSECONDS)

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._queue.clear()
        self.end(ConnectionClosedError(None, None))

    def end(self, how: ConnectionClosed) -> None:
        """Note that the connection is over; the first reason stays."""
        if self.ended is None:
            self.ended = how
            self._connections.leave(self)
            self.changed.set()

    def take(self) -> str | None:
        """Return the next frame that the client may read now, or None."""
        if self.silent:
            return None
        if self._queue and not self.ended:
            self.sent += 1
            return self._queue.popleft()
        if self._closing:
            said = Close(*self._closing)
            ok = said.code in _OK_CODES
            kind = ConnectionClosedOK if ok else ConnectionClosedError
            self.end(kind(said, said, rcvd_then_sent=True))
        return None


class _Transport:
    """What a client may do to the connection below the protocol."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def abort(self) -> None:
        """Drop the connection at once, as a reset does."""
        self._line.abort()


class LoopbackSocket:
    """The client's end of one connection in memory.

    Args:
        connections: who is connected.
    """

    def __init__(self, connections: Connections[Any]) -> None:
        self._connections = connections
        self._line = Line(connections)
        self.transport = _Transport(self._line)
        connections.join(self._line)
        self._ticking = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while self._line.ended is None:
            await asyncio.sleep(self._connections.tick_s)
            self._connections.tick_one(self._line)

    @overload
    async def recv(self, decode: Only[False]) -> bytes: ...

    @overload
    async def recv(self, decode: Only[True] | None = None) -> str: ...

    async def recv(self, decode: bool | None = None) -> str | bytes:
        """Return the next frame, as bytes unless it is to be decoded.

        Raises:
            ConnectionClosedOK: closed with 1000 or 1001, by either end.
            ConnectionClosedError: closed with another code, or cut.
        """
        line = self._line
        while True:
            # Let others run, as reading a socket now and then does.
            await asyncio.sleep(0)
            line.changed.clear()
            text = line.take()
            if text is not None:
                return text.encode() if decode is False else text
            if line.ended:
                raise line.ended
            await self._wait()

    async def _wait(self) -> None:
        """Wait until something changes, or a silence is over."""
        line = self._line
        limit_s = line.silent_s if line.silent else None
        try:
            async with asyncio.timeout(limit_s):
                await line.changed.wait()
        except TimeoutError:
            return

    async def send(self, message: bytes | str, *, text: bool | None = None) -> None:
        """Send one text frame; a silent venue answers it when the silence is over.

        Raises:
            ConnectionClosed: the connection is over.
        """
        if self._line.ended:
            raise self._line.ended
        heard = message if isinstance(message, str) else message.decode()
        self._connections.heard(self._line, heard)
        await asyncio.sleep(0)

    async def ping(self) -> asyncio.Future[float]:
        """Send a ping of the protocol; a silent venue answers it never.

        Raises:
            ConnectionClosed: the connection is over.
        """
        if self._line.ended:
            raise self._line.ended
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if not self._line.silent:
            pong.set_result(0.0)
        return pong

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection; closing it again does nothing."""
        said = Close(code, reason)
        self._line.end(ConnectionClosedOK(said, said, rcvd_then_sent=False))
        self._ticking.cancel()
        await asyncio.sleep(0)


class _Opening:
    """A connection being made: to be awaited, or entered as a context."""

    def __init__(self, loopback: "Loopback", url: str) -> None:
        self._loopback = loopback
        self._url = url
        self._socket: LoopbackSocket | None = None

    def __await__(self) -> Generator[Any, None, LoopbackSocket]:
        return self._loopback.open(self._url).__await__()

    async def __aenter__(self) -> LoopbackSocket:
        self._socket = await self
        return self._socket

    async def __aexit__(self, *_error: object) -> None:
        if self._socket:
            await self._socket.close()


class Loopback:
    """The way to a venue in memory.

    Args:
        venue: whom to talk to; it need not be started.
    """

    def __init__(self, venue: Venue[Any, Any]) -> None:
        self._venue = venue

    def connect(self, url: str) -> _Opening:
        """Open a connection: ``await`` it, or enter it with ``async with``.

        Args:
            url: any whose path is one of the venue's; the host is not looked at.

        Raises:
            OSError: the venue takes no connections (fault ``refuse_connections``).
            InvalidStatus: 429 above the venue's limit, 404 for another path.
        """
        return _Opening(self, url)

    async def open(self, url: str) -> LoopbackSocket:
        """Open a connection, as ``connect`` says."""
        await asyncio.sleep(0)
        if urlsplit(url).path not in self._venue.stream_paths:
            raise _invalid_status(404)
        status = self._venue.connections.refusal()
        faults = self._venue.connections.memory.faults
        if faults.active(Fault.REFUSE_CONNECTIONS, self._venue.clock()):
            raise ConnectionRefusedError(f"fault {Fault.REFUSE_CONNECTIONS}")
        if status:
            raise _invalid_status(status)
        return LoopbackSocket(self._venue.connections)

    async def rest(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        """Make one REST call; return the HTTP status and the answer's exact bytes.

        Args:
            method: such as ``POST``.
            path: with its query, if any.
            headers: in any case.
            body: exactly as signed.
        """
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        named = Headers(headers)
        call = Call(method, unquote(parts.path), named, body, query, path)
        answer = self._venue.answer(call, self._venue.clock())
        await asyncio.sleep(answer.delay_s)
        return answer.status, answer.text.encode()


def _invalid_status(status: int) -> InvalidStatus:
    return InvalidStatus(Response(status, HTTPStatus(status).phrase, Headers()))
