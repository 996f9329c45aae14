"""Runs one private stream: socket, time limits, pings, connecting again.

Theory of operation. One session is one connection, one epoch and one protocol object.
A session ends by an error, whatever the reason, and the retry policy starts the next;
`classify` alone says which errors it does not survive. The socket is read only while
the outbox has room, so that Kafka's pace becomes the venue's. A watchdog looks at the
time limits a few times a second and, where one has passed, breaks the connection off:
closing politely would wait for a peer that may not be there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Literal, Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from balance_connector.books import Books, Holding
from balance_connector.feed import Feed
from balance_connector.outbox import AGE_S_MAX
from balance_connector.rest import Answer
from balance_connector.retry import STABLE_S, retrying
from balance_connector.venue import Health, State, StreamProtocol, Stretch
from balance_shared import VERSION
from balance_shared.errors import (
    BusInterrupted,
    FrameInvalid,
    PictureNeeded,
    SequenceGap,
    VenueError,
    VenueUnavailable,
)

FRAME_BYTES_MAX = 64 * 1024 * 1024
"""Largest frame that is read; a larger one closes the connection."""

QUEUE_FRAMES = 256
"""Frames read ahead of the one being taken in."""

WATCH_S = 0.25
"""How often the time limits are looked at, in seconds."""

DEGRADED_S_MAX = 300.0
"""How long a picture with unreadable balances serves before a new one is tried."""

CONNECT_S_MAX = 10.0
"""How long a connection may take to open, in seconds."""

log = structlog.get_logger(__name__)


class Socket(Protocol):
    """What a session needs of a WebSocket: `websockets`' connection, or the fake."""

    async def recv(self, decode: Literal[False]) -> bytes:
        """Return the next message."""

    async def send(self, message: bytes, *, text: bool | None = None) -> None:
        """Send a message."""

    @property
    def transport(self) -> Any:
        """Its transport, to break it off."""


Connect = Callable[[str], AbstractAsyncContextManager[Socket]]
"""Opens a connection to a URL."""


class StreamRunner:
    """One account's stream, for the life of the process.

    Args:
        feed: whose stream, and its ways to venue and bus.
        url: of the stream.
        connect: opens connections.
        missed: called after each new picture with the stretch before it.

    Attributes:
        doubt: set from outside: why the balances are in doubt; a new picture is taken.
        dispute: set from outside: what another source says otherwise, or None; the
            feed is degraded, not live, while it lasts.
    """

    def __init__(
        self,
        feed: Feed,
        url: str,
        connect: Connect,
        missed: Callable[[Stretch], None],
    ) -> None:
        self._feed = feed
        self._venue = feed.venue
        self._url = url
        self._memory = feed.memory
        self._outbox = feed.outbox
        self._board = feed.board
        self._clock = feed.clock
        self._teller = feed.teller
        self._connect = connect
        self._missed = missed
        self._unreadable: frozenset[str] = frozenset()
        self._may_connect_s = 0.0
        self.doubt: PictureNeeded | None = None
        self.dispute: str | None = None

    async def run(self) -> None:
        """Keep the stream up for ever.

        Raises:
            VenueRefused: the venue refuses the credentials or the request.
        """
        while True:
            async for attempt in retrying(self._clock, self._note):
                with attempt:
                    await self._session_or_error()

    async def _session_or_error(self) -> None:
        """Run one session; an error after a stable time starts the back-off anew."""
        wait_s = self._may_connect_s - self._clock.monotonic()
        await self._clock.sleep(max(0.0, wait_s))
        started_s = self._clock.monotonic()
        self._may_connect_s = started_s + self._venue.connect_interval_s
        try:
            await self._session()
        except (VenueUnavailable, PictureNeeded, FrameInvalid, BusInterrupted) as error:
            self._after(error)
            stable = self._clock.monotonic() - started_s > STABLE_S
            if not stable or isinstance(error, VenueUnavailable):
                raise
            self._note(error, 0.0)

    def _after(self, error: VenueError | BusInterrupted) -> None:
        """Publish what the end of the session means for the balances."""
        reason = getattr(error, "reason", type(error).__name__)
        self._board.count.reconnect(reason)
        if isinstance(error, SequenceGap):
            self._board.count.gaps.inc()
        self._unreadable = getattr(error, "names", self._unreadable)
        maintenance = isinstance(error, VenueUnavailable) and error.maintenance
        self._board.set(State.MAINTENANCE if maintenance else State.STALE, str(error))

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("reconnect", error=str(error), wait_s=round(wait_s, 2))

    async def _session(self) -> None:
        """Run one connection until it ends, which is always by an error."""
        board = self._board
        memory = self._memory
        known = await memory.known(self._outbox.losses)
        epoch = memory.next_epoch()
        board.epoch, board.sequence = epoch, None
        self._teller.begin(epoch)
        self.doubt = None
        books = Books(board.account, board.feed, epoch, known, memory.recent)
        protocol = self._venue.stream(
            self._feed.credentials, self._feed.options, books, self._unreadable
        )
        board.set(State.CONNECTING, f"connecting to {self._url}")
        async with self._connect(self._url) as socket:
            watch = _Watch(self, self._feed, protocol)
            dog = asyncio.create_task(watch.run(socket))
            try:
                await self._open(protocol, socket)
                watch.listen()
                self._show(protocol.health)
                await self._read_picture(protocol, socket, watch)
                await self._read(protocol, socket, watch)
            except ConnectionClosed as error:
                closed = PictureNeeded("closed", f"connection closed: {error}")
                raise (watch.verdict or closed) from error
            finally:
                dog.cancel()

    async def _open(self, protocol: StreamProtocol, socket: Socket) -> None:
        """Log in and subscribe; a nonce that was not accepted is tried once more."""
        try:
            await self._log_in(protocol, socket)
        except VenueUnavailable as error:
            if not error.fresh_nonce:
                raise
            log.warning("nonce_refused", error=str(error))
            await self._log_in(protocol, socket)

    async def _log_in(self, protocol: StreamProtocol, socket: Socket) -> None:
        nonces = self._feed.nonces
        answer: Answer | None = None
        try:
            answer = await self._feed.rest.call(nonces, protocol.login)
        except VenueUnavailable as error:
            if self._venue.login_needed:
                raise
            log.warning("login_unanswered", error=str(error))
        if answer is not None and not answer.request.secret:
            await self._teller.tell(
                answer.response.body, answer.request.source, answer.received_at
            )
        async with nonces.lock:
            response = answer.response if answer else None
            nonce = nonces.next()
            for frame in protocol.open(response, nonce, self._clock.now()).send:
                await socket.send(frame, text=True)

    async def _read_picture(
        self, protocol: StreamProtocol, socket: Socket, watch: "_Watch"
    ) -> None:
        """Take in frames up to the picture, then name the stretch before it."""
        memory = self._memory
        before, since = dict(memory.balances), memory.heard_at
        while not protocol.synced:
            await self._next(protocol, socket, watch)
        if since is not None:
            until = self._board.last_message_at or since
            changed = _changed(before, memory.balances)
            self._missed(Stretch(since, until, changed))

    async def _read(
        self, protocol: StreamProtocol, socket: Socket, watch: "_Watch"
    ) -> None:
        """Take in frames; the watchdog breaks off what takes too long."""
        while True:
            await self._next(protocol, socket, watch)

    async def _next(
        self, protocol: StreamProtocol, socket: Socket, watch: "_Watch"
    ) -> None:
        frame = await socket.recv(decode=False)
        watch.arrived()
        await self._take(protocol, socket, frame)
        watch.taken()

    async def _take(
        self, protocol: StreamProtocol, socket: Socket, frame: bytes
    ) -> None:
        """Take in one frame and tell what follows from it."""
        board = self._board
        received_at = board.last_message_at = self._clock.now()
        board.count.frames.inc()
        step = protocol.receive(frame, received_at)
        if step.keep:
            await self._teller.tell(
                frame, "stream", received_at, events=step.events, invalid=step.invalid
            )
        for note in step.notes:
            board.count.note(note)
        for answer in step.send:
            await socket.send(answer, text=True)
        board.sequence = protocol.sequence
        if step.confirmed:
            board.confirmed_at = received_at
        self._show(protocol.health)
        if protocol.synced and step.demand is None:
            self._memory.heard_at = received_at
        if step.demand is not None:
            raise step.demand

    def _show(self, health: Health) -> None:
        """Publish how the feed is, if that is new; a dispute is no health."""
        if health.state is State.LIVE:
            self._unreadable = frozenset()
            if self.dispute:
                health = Health(State.DEGRADED, self.dispute)
        if health is not self._board.health:
            self._board.set(*health)


def _changed(
    before: Mapping[str, Holding], now: Mapping[str, Holding]
) -> tuple[Holding, ...]:
    """Return the balances that are new or differ, and those that are gone."""
    new = [
        holding
        for key, holding in now.items()
        if key not in before or before[key].balance != holding.balance
    ]
    return (*new, *(holding for key, holding in before.items() if key not in now))


class _Watch:
    """The time limits of one connection.

    Attributes:
        verdict: why the connection was broken off, once it was.
    """

    def __init__(
        self, runner: StreamRunner, feed: Feed, protocol: StreamProtocol
    ) -> None:
        self._runner = runner
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
            self.verdict = self._runner.doubt or self._passed(now_s)
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
        """Return the error of a silence that is too long, counted from a first frame."""
        if not self._greeted or self._waiting_s is None:
            return None
        silent_s = now_s - self._waiting_s
        if silent_s <= self._venue.silence_s_max:
            return None
        return PictureNeeded("silence", f"no frame for {silent_s:.1f} s")


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
        raise VenueUnavailable(f"cannot connect to {url}: {_detail(error)}") from error
    try:
        yield socket
    finally:
        await socket.close()


def _detail(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        body = bytes(error.response.body or b"")[:100]
        return f"HTTP {error.response.status_code} {body!r}"
    return repr(error)
