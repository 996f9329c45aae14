"""Runs one private stream: logging in, taking frames in, connecting again.

Theory of operation. One session is one connection, one epoch and one protocol object.
A session ends by an error, whatever the reason, and the retry policy starts the next;
`classify` alone says which errors it does not survive. The socket is read only while
the outbox has room, so that Kafka's pace becomes the venue's. A `Watch` beside it sees
to the time limits and the pings.
"""

import asyncio
from datetime import datetime, timedelta

import structlog
from websockets.exceptions import ConnectionClosed

from balance_connector.books import Books, changed
from balance_connector.connection import Connect, Socket
from balance_connector.feed import Feed
from balance_connector.opening import AFTER
from balance_connector.rest import Answer
from balance_connector.retry import STABLE_S, retrying
from balance_connector.stretches import Stretches
from balance_connector.venue import Health, State, Step, StreamProtocol, Stretch
from balance_connector.watch import NO_ANSWER, Patience, Tolerance, Watch
from balance_shared.errors import (
    BusInterrupted,
    FrameInvalid,
    PictureNeeded,
    SequenceGap,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)

UNNUMBERED_MAX = timedelta(minutes=10)
"""How far history is asked for before the last frame of a stream without numbers."""

REFUSALS_MAX = 8
"""How many logins in a row may be refused for what need not be the credentials: about
a minute of them."""

log = structlog.get_logger(__name__)


class StreamRunner:
    """One account's stream, for the life of the process.

    Args:
        feed: whose stream, and its ways to venue and bus.
        url: of the stream.
        connect: opens connections.
        stretches: where the stretch before each new picture is put in line.

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
        stretches: Stretches,
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
        self._stretches = stretches
        self._tolerance = Tolerance()
        self._kept: int | None = None
        self._unread_since: datetime | None = None
        self._may_connect_s = 0.0
        self._patience = Patience(
            beats=self._venue.heartbeats_promised, most_s=self._venue.picture_s_max
        )
        self._refusals = 0
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
        """Run one session; some errors start the back-off anew.

        Those after a stable time, and that a subscription was not answered: the venue
        has been waited for already.
        """
        wait_s = self._may_connect_s - self._clock.monotonic()
        await self._clock.sleep(max(0.0, wait_s))
        started_s = self._clock.monotonic()
        self._may_connect_s = started_s + self._venue.connect_interval_s
        try:
            await self._session()
        except (VenueUnavailable, PictureNeeded, FrameInvalid, BusInterrupted) as error:
            self._refuse(error)
            self._after(error)
            stable = self._clock.monotonic() - started_s > STABLE_S
            stable = stable or getattr(error, "reason", "") == NO_ANSWER
            if not stable or isinstance(error, VenueUnavailable):
                raise
            self._note(error, 0.0)

    def _refuse(self, error: VenueError | BusInterrupted) -> None:
        """Give up on credentials with which no login succeeds.

        Raises:
            VenueRefused: the venue has said so often enough.
        """
        doubted = isinstance(error, VenueUnavailable) and error.credentials
        self._refusals = self._refusals + 1 if doubted else 0
        if self._refusals >= REFUSALS_MAX:
            raise VenueRefused(f"{error}, {self._refusals} times in a row") from error

    def _after(self, error: VenueError | BusInterrupted) -> None:
        """Publish what the end of the session means for the balances."""
        reason = getattr(error, "reason", type(error).__name__)
        self._board.count.reconnect(reason)
        if isinstance(error, SequenceGap):
            self._board.count.gaps.inc()
        if self.doubt is not None:
            self._memory.doubt_since(self._board.confirmed_at)
        self._memory.doubt_since(self._unread_since)
        self._unread_since = None
        maintenance = isinstance(error, VenueUnavailable) and error.maintenance
        self._board.set(State.MAINTENANCE if maintenance else State.STALE, str(error))

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("reconnect", error=str(error), wait_s=round(wait_s, 2))

    async def _session(self) -> None:
        """Run one connection until it ends, which is always by an error."""
        board = self._board
        memory = self._memory
        losses = self._outbox.losses
        known = await memory.known(losses)
        if losses != self._outbox.losses:
            raise BusInterrupted("records were dropped while the bus was read back")
        self._stretches.open(memory.heard_at)
        epoch = memory.next_epoch()
        board.epoch, board.sequence = epoch, None
        self._teller.begin(epoch, self._feed.opening("stream"))
        self._kept = None
        self.doubt = None
        books = Books(board.account, board.feed, epoch, known, memory.recent)
        protocol = self._venue.stream(
            self._feed.credentials, self._feed.options, books, self._tolerance.names
        )
        board.set(State.CONNECTING, f"connecting to {self._url}")
        async with self._connect(self._url) as socket:
            watch = Watch(
                self._feed,
                protocol,
                self._patience,
                self._tolerance,
                lambda: self.doubt,
            )
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
                answer.response.body,
                answer.request.source,
                answer.received_at,
                attributes=answer.attributes,
            )
        async with nonces.lock:
            response = answer.response if answer else None
            nonce = nonces.next()
            for frame in protocol.open(response, nonce, self._clock.now()).send:
                await socket.send(frame, text=True)

    async def _read_picture(
        self, protocol: StreamProtocol, socket: Socket, watch: Watch
    ) -> None:
        """Take in frames up to the picture, then name the stretch before it."""
        memory = self._memory
        before, since = memory.vanished | memory.balances, memory.heard_at
        while not protocol.synced:
            await self._next(protocol, socket, watch)
        watch.pictured()
        self._refusals = 0
        all_moved = memory.owed_since is not None
        moved = changed(before, memory.balances, all_=all_moved)
        memory.owed_since, memory.vanished = None, {}
        if since is not None:
            until = self._board.last_message_at or since
            epoch = self._board.epoch
            self._stretches.close(Stretch(since, until, moved, epoch))

    async def _read(
        self, protocol: StreamProtocol, socket: Socket, watch: Watch
    ) -> None:
        """Take in frames; the watchdog breaks off what takes too long."""
        while True:
            await self._next(protocol, socket, watch)

    async def _next(
        self, protocol: StreamProtocol, socket: Socket, watch: Watch
    ) -> None:
        frame = await socket.recv(decode=False)
        watch.arrived()
        watch.taken(await self._take(protocol, socket, watch, frame))

    async def _take(
        self, protocol: StreamProtocol, socket: Socket, watch: Watch, frame: bytes
    ) -> Step:
        """Take in one frame and tell what follows from it."""
        board = self._board
        received_at = board.last_message_at = self._clock.now()
        board.count.frames.inc()
        before, was_synced = protocol.sequence, protocol.synced
        step = protocol.receive(frame, received_at)
        if step.keep:
            unkept = before is not None and before != self._kept
            self._kept = protocol.sequence
            await self._teller.tell(
                frame,
                "stream",
                received_at,
                events=step.events,
                invalid=step.invalid,
                attributes={AFTER: str(before)} if unkept else None,
            )
        if step.invalid is not None:
            self._tolerance.met(step.invalid.names, self._clock.monotonic())
            if was_synced and step.invalid.names:
                # Its history is asked for once there is a new picture.
                self._unread_since = self._unread_since or received_at
        for note in step.notes:
            board.count.note(note)
        for answer in step.send:
            await socket.send(answer, text=True)
        if step.demand is None:
            watch.read(numbered=before is not None and protocol.sequence != before)
        board.sequence = protocol.sequence
        if step.confirmed:
            board.confirmed_at = received_at
        self._show(protocol.health)
        if step.demand is None or self._memory.heard_at is None:
            self._hear(protocol, before, received_at)
        if step.demand is not None:
            raise step.demand
        return step

    def _hear(
        self, protocol: StreamProtocol, before: int | None, received_at: datetime
    ) -> None:
        """Note up to when nothing can be missing: history is asked from there.

        The venue's numbers tell it, and they stand still while it only shows that it is
        there. Where it has none, what was compared tells it. What it books in
        maintenance it may not tell.
        """
        memory = self._memory
        maintained = protocol.health.state is State.MAINTENANCE
        if not protocol.synced or (maintained and memory.heard_at is not None):
            return
        if protocol.sequence is None:
            sure_at = self._board.confirmed_at or received_at
            memory.heard_at = max(sure_at, received_at - UNNUMBERED_MAX)
        elif protocol.sequence != before:
            memory.heard_at = received_at

    def _show(self, health: Health) -> None:
        """Publish how the feed is, if that is new; a dispute is no health."""
        if health.state is State.LIVE:
            self._tolerance.well(self._clock.monotonic())
            if self.dispute:
                health = Health(State.DEGRADED, self.dispute)
        if health != self._board.health:
            self._board.set(*health)
