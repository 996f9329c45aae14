"""The venue's end of one WebSocket connection: common to all venues.

Theory of operation. Whoever has something to say calls ``send``, which only queues; one
writer task for each connection does the writing, so that a slow reader holds up nobody
else. Frames that have gathered are written in one go: a server's frames are not masked,
so a frame is a header and the text, and 500 of them cost one call to the socket. That
makes tens of thousands of frames a second possible from one process.
"""

import asyncio

from aiohttp import web

from balance_simulator.exact import MICROSECONDS
from balance_simulator.pace import Clock
from balance_simulator.waiting import Waiting

_FINAL_TEXT = 0x81
_SHORT = 126
_MEDIUM = 1 << 16
_BATCH_FRAMES = 512
_BUFFER_BYTES_MAX = 1 << 20
_BUFFER_POLL_S = 0.002
_CLOSE_WAIT_S = 1.0


def text_frame(text: str) -> bytes:
    """Return a whole unmasked text frame (RFC 6455, section 5.2)."""
    payload = text.encode()
    length = len(payload)
    if length < _SHORT:
        return bytes((_FINAL_TEXT, length)) + payload
    if length < _MEDIUM:
        return bytes((_FINAL_TEXT, 126)) + length.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, 127)) + length.to_bytes(8, "big") + payload


class Client(Waiting):
    """One connected client.

    Args:
        socket: the prepared WebSocket.
        transport: its transport.
        clock: the venue's time in microseconds.
        queue_max: frames that may wait; one more cuts the connection off.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        clock: Clock,
        queue_max: int,
    ) -> None:
        super().__init__(clock, queue_max)
        self._socket = socket
        self._transport = transport

    @property
    def gone(self) -> bool:
        """Whether the connection is lost."""
        return self._transport.is_closing()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._transport.abort()

    async def pong(self, payload: bytes) -> None:
        """Answer a ping of the protocol, unless silent."""
        if not self.silent:
            await self._socket.pong(payload)

    async def write(self) -> None:
        """Write what is queued until the connection ends: run as one task."""
        while not self.gone:
            await self.changed.wait()
            self.changed.clear()
            await self._sit_out_silence()
            await self._write_queued()
            if self._closing and not self._queue:
                code, reason = self._closing
                await self._socket.close(code=code, message=reason.encode())
                return

    async def _sit_out_silence(self) -> None:
        while self.silent and not self.gone:
            left_s = (self._silent_until_us - self._clock()) / MICROSECONDS
            await asyncio.sleep(min(max(left_s, 0), 0.02))

    async def _write_queued(self) -> None:
        while self._queue and not self.gone and not self.silent:
            count = min(len(self._queue), _BATCH_FRAMES)
            batch = [text_frame(self._queue.popleft()) for _ in range(count)]
            self._transport.write(b"".join(batch))
            self.sent += count
            # The transport belongs to aiohttp, so nothing tells us when it drains.
            while self._buffer_is_full():  # noqa: ASYNC110
                await asyncio.sleep(_BUFFER_POLL_S)
        if self._queue:
            self.changed.set()

    def _buffer_is_full(self) -> bool:
        if self.gone:
            return False
        return self._transport.get_write_buffer_size() > _BUFFER_BYTES_MAX

    async def wait_until_gone(self) -> None:
        """Leave a client's goodbye unanswered while silent, as a dead peer does."""
        while self.silent and not self.gone:  # noqa: ASYNC110 - as in `write`
            await asyncio.sleep(0.02)
