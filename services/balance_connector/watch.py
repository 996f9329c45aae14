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
from balance_connector.rows import ANY
from balance_connector.venue import State, Step, StreamProtocol
from balance_shared.errors import BusInterrupted, PictureNeeded

WATCH_S = 0.1
"""How often the time limits are looked at, in seconds."""

PAUSED_S = 0.5
"""A look that comes this late says that the process was paused, not the venue."""

NO_ANSWER = "no_answer"
"""Why a connection ended on which the subscription, or its answer, may be lost."""

ANSWER_S, ANSWER_S_MAX = 6.0, 120.0
"""How long an answer to the subscription is waited for after the venue's first word: at
first, and at most, in seconds."""

PICTURE_S = 30.0
"""How long the picture is waited for at least where the venue has answered, in seconds;
and at first, a first word where no greeting is due."""

SHORT_WAITS = 4
"""How many more waits for an answer are short, before each long one, where a picture
came before."""

RETRY_S, RETRY_S_MAX = 5.0, 300.0
"""How long a degraded feed waits before a new picture is tried: at first and at most,
in seconds. A maintenance whose end may have been lost is believed for the latter."""


PICTURES_MAX = 3
"""How many pictures are taken at once for balances that cannot be read."""


class Patience:
    """How long an answer is waited for, over the connections of a feed.

    A large account's picture takes its time; where the subscription was lost it never
    comes. Waiting tells the two apart: little at first, so that a feed is soon back,
    and three times as long each time that it was in vain. Where a picture came before
    most waits are as short as at first: it is the venue that is ill, and a feed is to
    be back soon after it.

    Args:
        beats: see `Venue.heartbeats_promised`.
        most_s: see `Venue.picture_s_max`.

    Attributes:
        word_s: from the subscription to the venue's first word, in seconds.
        answer_s: from there to its answer.
        beats: whether heartbeats are missed where they do not come.
    """

    def __init__(self, *, beats: bool = True, most_s: float = ANSWER_S_MAX) -> None:
        self._most_s = most_s
        self.word_s, self.answer_s = PICTURE_S, ANSWER_S
        self.beats = beats
        self._usual_s = self._long_s = ANSWER_S
        self._short_waits = self._short_left = 0

    def came(self, took_s: float) -> None:
        """Note how long a picture took; the next may take twice that."""
        self.word_s = min(max(PICTURE_S, 2 * took_s), self._most_s)
        self.answer_s = min(max(ANSWER_S, 2 * took_s), self._most_s)
        self._usual_s = self._long_s = self.answer_s
        self._short_waits = self._short_left = SHORT_WAITS

    def no_word(self) -> None:
        """Note that nothing came."""
        self.word_s = min(2 * self.word_s, self._most_s)

    def no_answer(self) -> None:
        """Note that the venue was there, and did not answer."""
        if self._short_left:
            self._short_left -= 1
            self.answer_s = self._usual_s
            return
        self.answer_s = self._long_s = min(3 * self._long_s, self._most_s)
        self._short_left = self._short_waits


class Tolerance:
    """Which balances a picture need not tell, over the connections of a feed.

    One that cannot be read costs a new picture at once. If it cannot be read then, or
    again soon after, the feed is degraded, and a new picture is tried after a while,
    four times as late each time. So it is by any balance after `PICTURES_MAX` of them.

    Attributes:
        names: of those balances, as the venue names them.
        retry_s: how long a degraded feed waits for the next picture, in seconds.
    """

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self.retry_s = RETRY_S
        self._pictures = 0
        self._met_s = 0.0

    def met(self, names: frozenset[str], now_s: float) -> None:
        """Note balances that could not be read."""
        if ANY not in self.names and not names <= self.names:
            self._pictures += 1
            self.retry_s = RETRY_S
            self.names |= {ANY} if self._pictures >= PICTURES_MAX else frozenset()
        self.names |= names
        self._met_s = now_s

    def tried(self) -> None:
        """Note that a new picture is tried."""
        self.retry_s = min(4 * self.retry_s, RETRY_S_MAX)

    def well(self, now_s: float) -> None:
        """Note that all can be read; what could not is forgotten after a while."""
        if self.names and now_s - self._met_s > RETRY_S_MAX:
            self.names = frozenset()
            self._pictures = 0


class Watch:
    """The time limits of one connection.

    Args:
        feed: whose connection.
        protocol: of the connection.
        patience: of the feed.
        tolerance: of the feed.
        doubt: returns why the balances are in doubt, if somebody says so.

    Attributes:
        verdict: why the connection was broken off, once it was.
    """

    def __init__(
        self,
        feed: Feed,
        protocol: StreamProtocol,
        patience: Patience,
        tolerance: Tolerance,
        doubt: Callable[[], PictureNeeded | None],
    ) -> None:
        self._doubt = doubt
        self._patience = patience
        self._tolerance = tolerance
        self._venue = feed.venue
        self._protocol = protocol
        self._board = feed.board
        self._outbox = feed.outbox
        self._losses = feed.outbox.losses
        self._clock = feed.clock
        self._asked_s: float | None = None
        self._heard_s: float | None = None
        self._waiting_s: float | None = None
        self._mending_s: float | None = None
        self._arrived_s = 0.0
        self._waited_s: float | None = None
        self._suspects = False
        self._pong: asyncio.Future[float] | None = None
        self._ping_due_s = 0.0
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
        self._arrived_s, self._waited_s = now_s, self._waiting_s
        self._waiting_s = None
        if self._heard_s is None:
            self._heard_s = now_s

    def read(self, *, numbered: bool) -> None:
        """Note what the frame says of those before it.

        Args:
            numbered: whether it has the number that was due: none was lost before it.

        Raises:
            PictureNeeded: it comes after a heartbeat that was missed and has no number.
                What else may be missing nobody would ever see.
        """
        if self._suspects and not numbered:
            text = "the venue was silent, and no number tells that nothing was lost"
            raise PictureNeeded("heartbeat_missed", text)
        self._suspects = False

    def pictured(self) -> None:
        """Note that the picture is there."""
        if self._asked_s is not None:
            self._patience.came(self._clock.monotonic() - self._asked_s)

    def taken(self, step: Step) -> None:
        """Note that the frame is on its way to the bus.

        Args:
            step: what followed from it; what shows nothing of the feed ends no silence.

        Raises:
            PictureNeeded: that took so long that what was told meanwhile is too old.
        """
        now_s = self._clock.monotonic()
        self._waiting_s = now_s if step.alive else self._waited_s
        self._patience.beats |= step.beat
        took_s = now_s - self._arrived_s
        if took_s > AGE_S_MAX:
            raise PictureNeeded("late", f"a frame waited {took_s:.0f} s for the bus")

    async def run(self, socket: Socket) -> None:
        """Look at the limits until one has passed, then break the connection off."""
        while self.verdict is None:
            before_s = self._clock.monotonic()
            await self._clock.sleep(WATCH_S)
            now_s = self._clock.monotonic()
            if not self._patience.beats:
                await self._ask(socket, now_s)
            self.verdict = self._doubt() or self._passed(now_s)
            if now_s - before_s < PAUSED_S:  # else what came may lie there unread
                self._suspect(now_s)
            for frame in self._protocol.due(self._clock.now()):
                with suppress(TimeoutError, ConnectionClosed):
                    async with asyncio.timeout(WATCH_S):
                        await socket.send(frame, text=True)
        socket.transport.abort()

    async def _ask(self, socket: Socket, now_s: float) -> None:
        """Count pongs of the socket, which answers pings of its own (RFC 6455)."""
        if self._waiting_s is not None and _is_well(self._pong):
            self._waiting_s, self._pong = now_s, None
        if now_s >= self._ping_due_s:
            self._ping_due_s = now_s + self._venue.heartbeat_s
            with suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout(WATCH_S):
                    self._pong = await socket.ping()

    def _passed(self, now_s: float) -> PictureNeeded | BusInterrupted | None:
        if self._outbox.losses != self._losses:
            return BusInterrupted(self._outbox.loss)
        if self._asked_s is None:
            return None
        waited_s = now_s - self._asked_s
        greeting_s = self._venue.greeting_s_max
        if self._heard_s is None and greeting_s is not None and waited_s > greeting_s:
            return PictureNeeded("no_greeting", f"no frame within {waited_s:.0f} s")
        if self._is_degraded() and waited_s > self._tolerance.retry_s:
            self._tolerance.tried()
            return PictureNeeded("degraded", "perhaps all can be read again by now")
        if self._mends_too_long(now_s):
            return PictureNeeded("maintenance", "perhaps it is over by now")
        return self._unanswered(waited_s, now_s) or self._silence(now_s)

    def _unanswered(self, waited_s: float, now_s: float) -> PictureNeeded | None:
        """Return the error of a picture that did not come; the patience grows by it."""
        if self._protocol.synced or self._waiting_s is None:
            return None
        text = f"no picture within {waited_s:.0f} s"
        if self._heard_s is None:
            if waited_s <= self._patience.word_s:
                return None
            self._patience.no_word()
            return PictureNeeded(NO_ANSWER, text)
        limit_s = self._patience.answer_s
        if self._protocol.answered or self._is_mending():
            limit_s = max(limit_s, PICTURE_S)
        if now_s - self._heard_s <= limit_s:
            return None
        if now_s - self._waiting_s <= 2 * self._venue.heartbeat_s:  # it is there
            self._patience.no_answer()
        return PictureNeeded(NO_ANSWER, text)

    def _is_degraded(self) -> bool:
        """Whether there is something that could not be read."""
        return (
            bool(self._tolerance.names)
            and self._protocol.health.state is State.DEGRADED
        )

    def _is_mending(self) -> bool:
        return self._protocol.health.state is State.MAINTENANCE

    def _mends_too_long(self, now_s: float) -> bool:
        """Whether the venue has been in maintenance for so long that it may be over."""
        if not self._is_mending():
            self._mending_s = None
            return False
        self._mending_s = self._mending_s or now_s
        return now_s - self._mending_s > RETRY_S_MAX

    def _suspect(self, now_s: float) -> None:
        """Say stale when a heartbeat is missed; see `read` for the next frame."""
        silent_s = 0.0 if self._waiting_s is None else now_s - self._waiting_s
        if self._protocol.synced and silent_s > 2 * self._venue.heartbeat_s - WATCH_S:
            self._suspects = True
            self._board.set(State.STALE, "the venue's heartbeat is missing")

    def _silence(self, now_s: float) -> PictureNeeded | None:
        """Return the error of too long a silence, counted from the first frame.

        A picture may take its time: until it is there `_unanswered` knows better, but
        for a venue that owes heartbeats from its answer on.
        """
        if self._heard_s is None or self._waiting_s is None:
            return None
        silent_s = now_s - self._waiting_s
        limit_s = self._venue.silence_s_max
        owes = self._patience.beats and self._protocol.answered
        if not (self._protocol.synced or owes):
            limit_s = max(limit_s, ANSWER_S_MAX)
        if silent_s <= limit_s:
            return None
        return PictureNeeded("silence", f"no frame for {silent_s:.1f} s")


def _is_well(pong: asyncio.Future[float] | None) -> bool:
    """Whether a ping is answered, and not by the end of its connection."""
    if pong is None or not pong.done() or pong.cancelled():
        return False
    return pong.exception() is None
