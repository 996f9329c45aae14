"""Runs the polls of one account: rounds of REST calls at an interval.

As primary feed (no stream) each round tells the balances: the first of an epoch is a
picture, later ones tell what changed and what vanished. Beside a stream each round is a
witness: see ``witness.py``. A call that fails makes the feed stale until the next one
that does not; the polls go on for ever.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import structlog
from msgspec.structs import replace

from balance_connector.books import Books, Told
from balance_connector.feed import Feed
from balance_connector.reconcile import Answered
from balance_connector.rest import Answer
from balance_connector.retry import retrying
from balance_connector.venue import Note, Picture, PollProtocol, State, Step
from balance_schemas.records import BalanceEvent
from balance_shared.errors import BusInterrupted, VenueUnavailable, Verdict, classify

log = structlog.get_logger(__name__)


RETRY_S, WITNESS_RETRY_S = 3.0, 8.0
"""Least wait after a call that failed, in seconds, of polls that own the balances and
of those beside a stream: a key's limit is the stream's too, which has to come back."""


class Witness(Protocol):
    """Who compares the answers with a stream."""

    async def hear(self, answered: Answered) -> bool:
        """Take in one whole answer; return whether another is wanted soon."""


class Rounds:
    """Tells the balances of one epoch of polls: pure."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self._polls = 0

    @property
    def sequence(self) -> int | None:
        """Number of the last poll that made a round complete."""
        return self._polls - 1 if self._polls else None

    def tell(self, picture: Picture, received_at: datetime) -> Iterable[BalanceEvent]:
        """Return the events of a round: a picture first, changes from then on."""
        told = Told(received_at, self._polls, str(self._polls))
        tell = self.books.changes if self._polls else self.books.picture
        self._polls += 1
        return tell(picture.rows, told, spared=picture.spared, covers=picture.covers)


class PollRunner:
    """One account's polls, for the life of the process.

    Args:
        feed: whose polls, and their ways to venue and bus.
        interval_s: from one round to the next, in seconds.
        witness: compares the answers with the stream; None where the polls are the
            primary feed and own the current balances.
        again_s: wait before a further answer that the witness wants, in seconds.
    """

    def __init__(
        self,
        feed: Feed,
        interval_s: float,
        witness: Witness | None = None,
        again_s: float = 5.0,
    ) -> None:
        self._feed = feed
        self._board = feed.board
        self._clock = feed.clock
        self._interval_s = interval_s
        self._witness = witness
        self._again_s = min(again_s, interval_s)
        retry_s = RETRY_S if witness is None else WITNESS_RETRY_S
        self._retry_s = min(retry_s, interval_s)

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
                await self._clock.sleep(self._again_s)

    async def _epoch(self) -> None:
        """Poll until records are dropped on their way to the bus."""
        feed, board = self._feed, self._board
        known = await feed.memory.known(feed.outbox.losses)
        epoch = board.epoch = feed.memory.next_epoch()
        owns = self._witness is None
        feed.teller.begin(epoch, feed.opening("polls" if owns else "witness"))
        rounds = Rounds(Books(board.account, board.feed, epoch, known))
        protocol = feed.venue.poll(feed.credentials, feed.options, known.values())
        while True:
            due_s = self._clock.monotonic() + self._interval_s
            again = False
            async for attempt in retrying(
                self._clock, self._note, _is_venues, self._retry_s
            ):
                with attempt:
                    again = await self._round(protocol, rounds)
            wait_s = due_s - self._clock.monotonic()
            await self._clock.sleep(self._again_s if again else max(0.0, wait_s))

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("poll_failed", error=str(error), wait_s=round(wait_s, 2))

    async def _round(self, protocol: PollProtocol, rounds: Rounds) -> bool:
        """Run a round; a nonce that was not accepted is tried once more at once."""
        try:
            return await self._calls(protocol, rounds)
        except VenueUnavailable as error:
            if not error.fresh_nonce:
                raise
            log.warning("nonce_refused", error=str(error))
            return await self._calls(protocol, rounds)

    async def _calls(self, protocol: PollProtocol, rounds: Rounds) -> bool:
        """Make the calls of a round; return whether another is wanted soon."""
        requested_at, calls, picture = self._clock.now(), 0, None
        protocol.begin(requested_at)
        try:
            while answer := await self._feed.rest.call(
                self._feed.nonces, protocol.request
            ):
                step = await self._take(protocol, rounds, answer)
                calls += 1
                picture = step.picture or picture
        except VenueUnavailable as error:
            self._board.set(_state(error), str(error))
            raise
        if self._witness is None or picture is None:
            return False
        answered_at = self._clock.now()
        return await self._witness.hear(
            Answered(picture, requested_at, answered_at, calls)
        )

    async def _take(
        self, protocol: PollProtocol, rounds: Rounds, answer: Answer
    ) -> Step:
        board, received_at = self._board, answer.received_at
        board.last_message_at = received_at
        board.count.frames.inc()
        step = protocol.receive(answer.response, received_at)
        events: Iterable[BalanceEvent] = ()
        clashes = rounds.books.clashes
        if self._witness is None and step.picture is not None:
            events = rounds.tell(step.picture, received_at)
        if step.keep and not answer.request.secret:
            await self._feed.teller.tell(
                answer.response.body,
                answer.request.source,
                received_at,
                events=events,
                invalid=step.invalid,
                attributes=answer.attributes,
            )
        clashed = (Note.ASSET_CLASH,) * (rounds.books.clashes - clashes)
        self._report(replace(step, notes=step.notes + clashed), rounds, received_at)
        if step.demand is not None:
            raise step.demand
        return step

    def _report(self, step: Step, rounds: Rounds, received_at: datetime) -> None:
        board = self._board
        for note in step.notes:
            board.count.note(note)
        board.sequence = rounds.sequence
        if step.demand is not None:
            board.set(_state(step.demand), str(step.demand))
        elif step.picture is not None and step.invalid is not None:
            board.set(State.DEGRADED, str(step.invalid))
        elif step.picture is not None:
            if self._witness is None and not step.picture.spared:
                board.confirmed_at = received_at
            board.set(State.LIVE)


def _state(error: BaseException) -> State:
    maintenance = isinstance(error, VenueUnavailable) and error.maintenance
    return State.MAINTENANCE if maintenance else State.STALE


def _is_venues(error: BaseException) -> bool:
    """Whether the next round may mend it; lost records need a new epoch."""
    passing = classify(error) in {Verdict.RETRY, Verdict.RESUBSCRIBE}
    return passing and not isinstance(error, BusInterrupted)
