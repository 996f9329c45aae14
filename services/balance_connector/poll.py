"""Runs the polls of one account: rounds of REST calls at an interval.

As primary feed (no stream) each round tells the balances; beside a stream the answers
are kept as frames only. A call that fails makes the feed stale until the next one that
does not; the polls go on for ever.
"""

from datetime import datetime

import structlog

from balance_connector.books import Books
from balance_connector.memory import Memory
from balance_connector.outbox import Outbox
from balance_connector.rest import Answer, Nonces, RestClient
from balance_connector.retry import retrying
from balance_connector.status import Board
from balance_connector.tell import Teller
from balance_connector.venue import (
    Credentials,
    Options,
    PollProtocol,
    State,
    Step,
    Venue,
)
from balance_shared.clock import Clock
from balance_shared.errors import BusInterrupted, VenueUnavailable, Verdict, classify

log = structlog.get_logger(__name__)


class PollRunner:
    """One account's polls, for the life of the process.

    Args:
        venue: which venue.
        credentials: the API key of the polls.
        options: what the venue gives a meaning to.
        rest: the way to the venue.
        nonces: of that API key.
        memory: what readers of the bus believe in, and epochs; of its own if a stream
            is the primary feed.
        teller: tells the bus.
        outbox: the hand-over behind it.
        board: the feed's status.
        clock: time.
        primary: whether the polls own the current balances.
        interval_s: from one round to the next, in seconds.
    """

    def __init__(
        self,
        venue: Venue,
        credentials: Credentials,
        options: Options,
        rest: RestClient,
        nonces: Nonces,
        memory: Memory,
        teller: Teller,
        outbox: Outbox,
        board: Board,
        clock: Clock,
        *,
        primary: bool,
        interval_s: float,
    ) -> None:
        self._venue = venue
        self._credentials = credentials
        self._options = options
        self._rest = rest
        self._nonces = nonces
        self._memory = memory
        self._teller = teller
        self._outbox = outbox
        self._board = board
        self._clock = clock
        self._primary = primary
        self._interval_s = interval_s

    async def run(self) -> None:
        """Poll for ever.

        Raises:
            VenueRefused: the venue refuses the credentials or the request.
        """
        while True:
            try:
                await self._epoch()
            except BusInterrupted as error:
                log.warning("new_epoch", error=str(error))
                self._board.set(State.STALE, str(error))

    async def _epoch(self) -> None:
        """Poll until records are dropped on their way to the bus."""
        known = await self._memory.known(self._outbox.losses)
        epoch = self._board.epoch = self._memory.next_epoch()
        self._teller.begin(epoch)
        books = Books(self._board.account, self._board.feed, epoch, known)
        protocol = self._venue.poll(self._credentials, self._options, books)
        while True:
            due_s = self._clock.monotonic() + self._interval_s
            async for attempt in retrying(self._clock, self._note, passing=_is_venues):
                with attempt:
                    await self._round(protocol)
            await self._clock.sleep(max(0.0, due_s - self._clock.monotonic()))

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("poll_failed", error=str(error), wait_s=round(wait_s, 2))

    async def _round(self, protocol: PollProtocol) -> None:
        """Run a round; a nonce that was not accepted is tried once more at once."""
        try:
            await self._calls(protocol)
        except VenueUnavailable as error:
            if not error.fresh_nonce:
                raise
            log.warning("nonce_refused", error=str(error))
            await self._calls(protocol)

    async def _calls(self, protocol: PollProtocol) -> None:
        protocol.begin(self._clock.now())
        try:
            while answer := await self._rest.call(self._nonces, protocol.request):
                await self._take(protocol, answer)
        except VenueUnavailable as error:
            self._board.set(_state(error), str(error))
            raise

    async def _take(self, protocol: PollProtocol, answer: Answer) -> None:
        board, received_at = self._board, answer.received_at
        board.last_message_at = received_at
        board.count.frames.inc()
        step = protocol.receive(answer.response, received_at)
        if step.keep and not answer.request.secret:
            await self._teller.tell(
                answer.response.body,
                answer.request.source,
                received_at,
                events=step.events if self._primary else (),
                invalid=step.invalid,
            )
        self._report(protocol, step, received_at)
        if step.demand is not None:
            raise step.demand

    def _report(
        self, protocol: PollProtocol, step: Step, received_at: datetime
    ) -> None:
        board = self._board
        for note in step.notes:
            board.count.note(note)
        board.sequence = protocol.sequence
        if step.confirmed:
            board.confirmed_at = received_at
        if protocol.health is not board.health:
            board.set(*protocol.health)


def _state(error: VenueUnavailable) -> State:
    return State.MAINTENANCE if error.maintenance else State.STALE


def _is_venues(error: BaseException) -> bool:
    """Whether the next round may mend it; lost records need a new epoch."""
    passing = classify(error) in {Verdict.RETRY, Verdict.RESUBSCRIBE}
    return passing and not isinstance(error, BusInterrupted)
