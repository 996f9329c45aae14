"""The time limits of one connection: greeting, picture, heartbeat, silence, age.

They are looked at a few times a second, whether frames come or not. Where one has
passed the connection is broken off: closing politely would wait for a peer that may not
be there.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from websockets.exceptions import ConnectionClosed

from balance_connector.connection import Socket
from balance_connector.feed import Feed
from balance_connector.outbox import AGE_S_MAX
from balance_connector.venue import State, StreamProtocol
from balance_shared.errors import BusInterrupted, PictureNeeded

WATCH_S = 0.25
"""How often the time limits are looked at, in seconds."""

DEGRADED_S_MAX = 300.0
"""How long a picture with unreadable balances serves before a new one is tried."""


class Watch:
    """The time limits of one connection.

    Args:
        feed: whose connection.
        protocol: of the connection.
        doubt: returns why the balances are in doubt, if somebody says so.

    Attributes:
        verdict: why the connection was broken off, once it was.
    """

    def __init__(
        self,
        feed: Feed,
        protocol: StreamProtocol,
        doubt: Callable[[], PictureNeeded | None],
    ) -> None:
        self._doubt = doubt
        self._venue = feed.venue
        self._protocol = protocol
        self._board = feed.board
        self._outbox = feed.outbox
        self._losses = feed.outbox.losses
        self._clock = feed.clock
        self._asked_s: float | None = None
        self._waiting_s: float | None = None
        self._arrived_s = 0.0
        self._greeted = False
        self.verdict: PictureNeeded | BusInterrupted | None = None

    def listen(self) -> None:
        """Note that the subscription is out, and that frames are read from now on."""
        self._asked_s = self._waiting_s = self._clock.monotonic()

    def arrived(self) -> None:
        """Note that a frame came.

        Raises:
            PictureNeeded: after a silence that is too long, as of a paused process.
        """
        now_s = self._clock.monotonic()
        silence = self._silence(now_s)
        if silence is not None:
            raise silence
        self._arrived_s, self._waiting_s, self._greeted = now_s, None, True

    def taken(self) -> None:
        """Note that the frame is on its way to the bus.

        Raises:
            PictureNeeded: that took so long that what was told meanwhile is too old.
        """
        self._waiting_s = self._clock.monotonic()
        took_s = self._waiting_s - self._arrived_s
        if took_s > AGE_S_MAX:
            raise PictureNeeded("late", f"a frame waited {took_s:.0f} s for the bus")

    async def run(self, socket: Socket) -> None:
        """Look at the limits until one has passed, then break the connection off."""
        while self.verdict is None:
            await self._clock.sleep(WATCH_S)
            now_s = self._clock.monotonic()
            self.verdict = self._doubt() or self._passed(now_s)
            self._suspect(now_s)
            for frame in self._protocol.due(self._clock.now()):
                with suppress(TimeoutError, ConnectionClosed):
                    await asyncio.wait_for(socket.send(frame, text=True), WATCH_S)
        socket.transport.abort()

    def _passed(self, now_s: float) -> PictureNeeded | BusInterrupted | None:
        if self._outbox.losses != self._losses:
            return BusInterrupted("earlier records of this epoch were dropped")
        if self._asked_s is None:
            return None
        waited_s = now_s - self._asked_s
        greeting_s = self._venue.greeting_s_max
        if not self._greeted and greeting_s is not None and waited_s > greeting_s:
            return PictureNeeded("no_greeting", f"no frame within {waited_s:.0f} s")
        if self._is_degraded() and waited_s > DEGRADED_S_MAX:
            return PictureNeeded("degraded", "perhaps all can be read again by now")
        if not self._protocol.synced and waited_s > self._venue.picture_s_max:
            return PictureNeeded("no_picture", f"no picture within {waited_s:.0f} s")
        return self._silence(now_s)

    def _is_degraded(self) -> bool:
        """Whether the picture had something that could not be read."""
        return self._protocol.health.state is State.DEGRADED

    def _suspect(self, now_s: float) -> None:
        """Say stale when a heartbeat is missed; the next frame says otherwise."""
        silent_s = 0.0 if self._waiting_s is None else now_s - self._waiting_s
        if self._protocol.synced and silent_s > 2 * self._venue.heartbeat_s - WATCH_S:
            self._board.set(State.STALE, "the venue's heartbeat is missing")

    def _silence(self, now_s: float) -> PictureNeeded | None:
        """Return the error of too long a silence, counted from the first frame."""
        if not self._greeted or self._waiting_s is None:
            return None
        silent_s = now_s - self._waiting_s
        if silent_s <= self._venue.silence_s_max:
            return None
        return PictureNeeded("silence", f"no frame for {silent_s:.1f} s")
