"""Tells late what a stream missed: asks the venue's history after each new picture.

The events are of kind ``backfill``: facts for readers of history, never a current
balance. Stretches wait in line and are asked for one after the other, at the pace that
the venue's limit on such calls allows; the stream does not wait for them.
"""

from datetime import datetime

import structlog

from balance_connector.books import Books, Told
from balance_connector.feed import Feed
from balance_connector.memory import Memory
from balance_connector.rest import Answer
from balance_connector.retry import retrying
from balance_connector.stretches import Stretches, told_until, widened
from balance_connector.venue import HistoryProtocol, Stretch
from balance_shared.errors import BusInterrupted, VenueRefused, Verdict, classify

log = structlog.get_logger(__name__)


class Backfiller:
    """Fetches the stretches of one account, for the life of the process.

    Args:
        feed: the ways to venue and bus.
        told: what the stream has told.
        stretches: what is owed.
    """

    def __init__(self, feed: Feed, told: Memory, stretches: Stretches) -> None:
        self._feed = feed
        self._told = told
        self._stretches = stretches
        self._may_call_s = 0.0

    async def run(self) -> None:
        """Fetch for ever; a key without permission for history loses only that."""
        while True:
            stretch = widened(await self._stretches.first(), self._feed.venue)
            await self._let_pass(stretch.until)
            try:
                async for attempt in retrying(
                    self._feed.clock, self._note, _is_passing
                ):
                    with attempt:
                        await self._fetch(stretch)
            except VenueRefused as error:
                log.error("backfill_refused", error=str(error))  # noqa: TRY400
            self._stretches.told()

    async def _let_pass(self, until: datetime) -> None:
        """Wait for a stretch's end where updates have no id that lines are known by.

        Its last lines may be younger than the picture. The history may know such a line
        first: told late, it would be told again as the stream's update.
        """
        clock = self._feed.clock
        if self._feed.venue.updates_without_ids:
            await clock.sleep(max(0.0, (until - clock.now()).total_seconds()))

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("backfill_failed", error=str(error), wait_s=round(wait_s, 2))

    async def _fetch(self, stretch: Stretch) -> None:
        """Ask for one stretch from its beginning; what was told is not told again.

        Returns once Kafka has it.

        Raises:
            BusInterrupted: records were dropped on their way, and the stream has not
                yet read back which: try again.
        """
        feed, board = self._feed, self._feed.board
        losses = feed.outbox.losses
        if not self._told.is_current(losses):
            raise BusInterrupted("what was told is not read back yet")
        epoch = feed.memory.next_epoch()
        within = stretch.since, stretch.until, stretch.epoch
        feed.teller.begin(epoch, feed.opening("history", within))
        known = self._told.balances if feed.venue.same_codes else {}
        books = Books(board.account, board.feed, epoch, known, self._told.recent)
        protocol = feed.venue.history(feed.credentials, feed.options, stretch)
        until = told_until(stretch, feed.venue)
        calls, lines = 0, 0
        while answer := await self._call(protocol):
            self._check(losses)
            told = Told(answer.received_at, None, f"c{calls}")
            lines += await self._take(protocol, books, answer, told, until)
            calls += 1
        await feed.outbox.acknowledged()
        self._check(losses)
        log.info("backfilled", since=str(stretch.since), calls=calls, events=lines)

    def _check(self, losses: int) -> None:
        """Raise if records were dropped: or lines would count as told for good."""
        if self._feed.outbox.losses != losses:
            raise BusInterrupted("records were dropped on their way")

    async def _call(self, protocol: HistoryProtocol) -> Answer | None:
        """Make the next call, at the venue's pace, whatever came of the one before."""
        feed = self._feed
        wait_s = self._may_call_s - feed.clock.monotonic()
        await feed.clock.sleep(max(0.0, wait_s))
        try:
            return await feed.rest.call(feed.nonces, protocol.request)
        finally:
            self._may_call_s = feed.clock.monotonic() + feed.venue.history_interval_s

    async def _take(
        self,
        protocol: HistoryProtocol,
        books: Books,
        answer: Answer,
        told: Told,
        until: datetime | None,
    ) -> int:
        """Tell one answer; return how many events it made."""
        feed, received_at = self._feed, answer.received_at
        step = protocol.receive(answer.response, received_at)
        events = list(books.backfill(step.lines, told, until))
        if step.keep and not answer.request.secret:
            await feed.teller.tell(
                answer.response.body,
                answer.request.source,
                received_at,
                events=events,
                invalid=step.invalid,
                attributes=answer.attributes,
            )
        for note in step.notes:
            feed.board.count.note(note)
        if step.demand is not None:
            raise step.demand
        return len(events)


def _is_passing(error: BaseException) -> bool:
    passing = classify(error) in {Verdict.RETRY, Verdict.RESUBSCRIBE}
    return passing or isinstance(error, BusInterrupted)
