"""Runs one private stream: socket, time limits, pings, connecting again.

Theory of operation. One session is one connection, one epoch and one protocol object.
A session ends by an error, whatever the reason, and the retry policy starts the next;
`classify` alone says which errors it does not survive. The socket is read only while
the outbox has room, so that Kafka's pace becomes the venue's. A watchdog looks at the
time limits a few times a second and, where one has passed, breaks the connection off:
closing politely would wait for a peer that may not be there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Literal, Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from balance_connector.books import Books
from balance_connector.memory import Memory
from balance_connector.outbox import AGE_S_MAX, Outbox
from balance_connector.rest import Nonces, RestClient
from balance_connector.retry import STABLE_S, retrying
from balance_connector.status import Board
from balance_connector.tell import Teller
from balance_connector.venue import (
    Credentials,
    Options,
    State,
    StreamProtocol,
    Venue,
)
from balance_shared import VERSION
from balance_shared.clock import Clock
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
        venue: which venue.
        url: of the stream.
        credentials: the API key.
        options: what the venue gives a meaning to.
        rest: for the call before the connection.
        nonces: of the API key.
        memory: what readers of the bus believe in.
        teller: tells the bus.
        outbox: the hand-over behind it.
        board: the feed's status.
        clock: time.
        connect: opens connections.
    """

    def __init__(
        self,
        venue: Venue,
        url: str,
        credentials: Credentials,
        options: Options,
        rest: RestClient,
        nonces: Nonces,
        memory: Memory,
        teller: Teller,
        outbox: Outbox,
        board: Board,
        clock: Clock,
        connect: Connect,
    ) -> None:
        self._venue = venue
        self._url = url
        self._credentials = credentials
        self._options = options
        self._rest = rest
        self._nonces = nonces
        self._memory = memory
        self._outbox = outbox
        self._board = board
        self._clock = clock
        self._connect = connect
        self._teller = teller
        self._unreadable: frozenset[str] = frozenset()

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
        started_s = self._clock.monotonic()
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
        self._unreadable = getattr(error, "names", frozenset())
        maintenance = isinstance(error, VenueUnavailable) and error.maintenance
        self._board.set(State.MAINTENANCE if maintenance else State.STALE, str(error))

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("reconnect", error=str(error), wait_s=round(wait_s, 2))

    async def _session(self) -> None:
        """Run one connection until it ends, which is always by an error."""
        board = self._board
        known = await self._memory.known(self._outbox.losses)
        epoch = self._memory.next_epoch()
        board.epoch, board.sequence = epoch, None
        self._teller.begin(epoch)
        books = Books(board.account, board.feed, epoch, known)
        protocol = self._venue.stream(
            self._credentials, self._options, books, self._unreadable
        )
        board.set(State.CONNECTING, f"connecting to {self._url}")
        async with self._connect(self._url) as socket:
            watch = _Watch(self._venue, protocol, self._outbox, self._clock)
            dog = asyncio.create_task(watch.run(socket))
            try:
                await self._open(protocol, socket)
                board.set(*protocol.health)
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
        answer = await self._rest.call(self._nonces, protocol.login)
        async with self._nonces.lock:
            response = answer.response if answer else None
            nonce = self._nonces.next()
            for frame in protocol.open(response, nonce, self._clock.now()).send:
                await socket.send(frame, text=True)

    async def _read(
        self, protocol: StreamProtocol, socket: Socket, watch: "_Watch"
    ) -> None:
        """Take in frames; the watchdog breaks off what takes too long."""
        while True:
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
        if protocol.health is not board.health:
            board.set(*protocol.health)
        if step.demand is not None:
            raise step.demand


class _Watch:
    """The time limits of one connection.

    Attributes:
        verdict: why the connection was broken off, once it was.
    """

    def __init__(
        self, venue: Venue, protocol: StreamProtocol, outbox: Outbox, clock: Clock
    ) -> None:
        self._venue = venue
        self._protocol = protocol
        self._outbox = outbox
        self._losses = outbox.losses
        self._clock = clock
        self._opened_s = clock.monotonic()
        self._waiting_s: float | None = self._opened_s
        self._arrived_s = self._opened_s
        self.verdict: PictureNeeded | BusInterrupted | None = None

    def arrived(self) -> None:
        """Note that a frame came.

        Raises:
            PictureNeeded: after a silence that is too long, as of a paused process.
        """
        now_s = self._clock.monotonic()
        silence = self._silence(now_s)
        if silence is not None:
            raise silence
        self._arrived_s, self._waiting_s = now_s, None

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
        pinged_s = self._opened_s
        while self.verdict is None:
            await self._clock.sleep(WATCH_S)
            now_s = self._clock.monotonic()
            self.verdict = self._passed(now_s)
            if now_s - pinged_s >= self._venue.ping_interval_s:
                pinged_s = now_s
                await self._ping(socket)
        socket.transport.abort()

    def _passed(self, now_s: float) -> PictureNeeded | BusInterrupted | None:
        if self._outbox.losses != self._losses:
            return BusInterrupted("earlier records of this epoch were dropped")
        waited_s = now_s - self._opened_s
        if not self._protocol.synced and waited_s > self._venue.picture_s_max:
            return PictureNeeded("no_picture", f"no picture within {waited_s:.0f} s")
        return self._silence(now_s)

    def _silence(self, now_s: float) -> PictureNeeded | None:
        """Return the error of a silence that is too long, counted once in sync."""
        if not self._protocol.synced or self._waiting_s is None:
            return None
        silent_s = now_s - self._waiting_s
        if silent_s <= self._venue.silence_s_max:
            return None
        return PictureNeeded("silence", f"no frame for {silent_s:.1f} s")

    async def _ping(self, socket: Socket) -> None:
        frame = self._protocol.ping(self._clock.now())
        if frame is not None:
            with suppress(TimeoutError, ConnectionClosed):
                await asyncio.wait_for(socket.send(frame, text=True), WATCH_S)


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
