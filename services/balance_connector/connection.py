"""A WebSocket to a venue: opened with limits, closed without waiting long."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any, Literal, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from balance_shared import VERSION
from balance_shared.errors import VenueUnavailable

FRAME_BYTES_MAX = 64 * 1024 * 1024
"""Largest frame that is read; a larger one closes the connection."""

QUEUE_FRAMES = 256
"""Frames read ahead of the one being taken in."""

CONNECT_S_MAX = 10.0
"""How long a connection may take to open, in seconds."""

THROTTLED_S = 5.0
"""Pause after HTTP 429 without a word about it, in seconds."""

RETRY_AFTER_S_MAX = 900.0
"""Longest pause that a venue may ask for by ``Retry-After``, in seconds."""


class Socket(Protocol):
    """What a session needs of a WebSocket: `websockets`' connection, or the fake."""

    async def recv(self, decode: Literal[False]) -> bytes:
        """Return the next message."""

    async def send(self, message: bytes, *, text: bool | None = None) -> None:
        """Send a message."""

    async def ping(self) -> Any:
        """Send a ping of WebSocket itself; the future that it returns is its pong."""

    @property
    def transport(self) -> Any:
        """Its transport, to break it off."""


Connect = Callable[[str], AbstractAsyncContextManager[Socket]]
"""Opens a connection to a URL."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ClientConnection]:
    """Open a connection and, at the end, close it without waiting long.

    Raises:
        VenueUnavailable: it cannot be opened; the text says why.
    """
    opening = connect(
        url,
        max_size=FRAME_BYTES_MAX,
        max_queue=QUEUE_FRAMES,
        compression=None,
        ping_interval=None,
        open_timeout=CONNECT_S_MAX,
        close_timeout=1,
        user_agent_header=f"balance-bus/{VERSION}",
    )
    try:
        socket = await opening
    except (OSError, TimeoutError, WebSocketException) as error:
        said = f"cannot connect to {url}: {_detail(error)}"
        raise VenueUnavailable(said, retry_after_s=_wait_asked_s(error)) from error
    try:
        yield socket
    finally:
        await socket.close()


def _wait_asked_s(error: Exception) -> float:
    """Return how long a venue asks to stay away, in seconds; 0 if it does not."""
    if not isinstance(error, InvalidStatus):
        return 0.0
    text = error.response.headers.get("Retry-After", "")
    asked_s = int(text) if text.isdecimal() else 0
    too_many = error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    return min(max(asked_s, THROTTLED_S if too_many else 0), RETRY_AFTER_S_MAX)


def _detail(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        body = bytes(error.response.body or b"")[:100]
        return f"HTTP {error.response.status_code} {body!r}"
    return repr(error)
