"""A WebSocket that says what a script says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close


class ScriptedSocket:
    """Hands out prepared frames, then waits for more.

    Attributes:
        sent: frames that were sent to it, in order.
        aborted: whether it was broken off from our side.
    """

    def __init__(self, *frames: bytes) -> None:
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[bytes] = []
        self.aborted = False
        self.say(*frames)

    def say(self, *frames: bytes) -> None:
        """Have the other side say something."""
        for frame in frames:
            self._frames.put_nowait(frame)

    def close(self) -> None:
        """Have the other side close, after all it has said."""
        self._frames.put_nowait(None)

    async def recv(self, decode: Literal[False]) -> bytes:
        """Return the next frame; waits where there is none."""
        frame = await self._frames.get()
        if frame is None:
            raise ConnectionClosedError(Close(1001, "scripted"), None)
        return frame

    async def send(self, message: bytes, *, text: bool | None = None) -> None:
        """Note what was sent."""
        self.sent.append(message)

    async def ping(self) -> asyncio.Future[float]:
        """Leave a ping of the protocol unanswered."""
        return asyncio.get_running_loop().create_future()

    @property
    def transport(self) -> "ScriptedSocket":
        """Itself: what breaks the connection off."""
        return self

    def abort(self) -> None:
        """Break the connection off."""
        self.aborted = True
        self.close()

    @asynccontextmanager
    async def connect(self, _url: str) -> AsyncIterator["ScriptedSocket"]:
        """Stand in for the function that connects."""
        yield self
