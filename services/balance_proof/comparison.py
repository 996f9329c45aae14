"""What a comparison of stream and REST says of the books.

The connector compares balances at rest, over up to five answers of REST. What moved
from just before the first until a settle time after the last is left out here: of the
rest a ``consistent`` verdict says that the venue's REST agrees with the figure that the
stream told, and that it did so when the first answer was asked for. A comparison of
which nobody knows whether the connection that it speaks of went on proves nothing; who
calls `compare` sees to that.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from balance_proof.book import RECONCILIATION, Book, Dispute, Evidence
from balance_proof.ledger import Ledger, time_of_epoch
from balance_schemas.decimals import to_unscaled
from balance_schemas.records import Difference, Reconciliation

BEFORE = timedelta(seconds=2)
"""How long before the request a balance must have been at rest."""

SETTLE = timedelta(seconds=2)
"""How long after the answer."""

LISTED_MAX = 1_000
"""Most differences that a record lists: with so many, more may differ."""

MISSED = "missed_event"
"""Cause of a difference that says that the books are wrong."""


def compare(
    ledger: Ledger,
    books: Iterable[Book],
    records: Sequence[Reconciliation],
    *,
    went_on: bool,
) -> datetime | None:
    """Take comparisons that count at one state.

    Args:
        ledger: the books as told until now.
        books: those of them to compare.
        records: one comparison; or several that are consistent, in the order of time.
        went_on: whether the connection that they speak of is known to have gone on.

    Returns:
        When the last one was asked for that agrees with whatever was at rest, if any.
    """
    began = time_of_epoch(ledger.epoch)
    present = [record for record in records if record.requested_at >= began]
    if records[0].verdict == "inconsistent":
        for book in books:
            _disagree(book, records[0], ledger.epoch if present else ledger.epoch - 1)
    if records[0].verdict != "consistent":
        return None
    agree = present if went_on else []
    for book in books:
        book.dispute = None
        if agree and ledger.is_pictured(book):
            _agree(book, agree)
    return agree[-1].requested_at if agree else None


def in_runs(records: Iterable[Reconciliation]) -> Iterator[list[Reconciliation]]:
    """Yield comparisons as `compare` takes them, those without a verdict left out."""
    run: list[Reconciliation] = []
    for record in records:
        if record.verdict not in {"consistent", "inconsistent"}:
            continue
        if run and not _goes_on(run[-1], record):
            yield run
            run = []
        run.append(record)
    if run:
        yield run


def _goes_on(before: Reconciliation, record: Reconciliation) -> bool:
    return (
        before.verdict == record.verdict == "consistent"
        and before.requested_at <= record.requested_at
        and before.answered_at <= record.answered_at
    )


def _until(record: Reconciliation) -> datetime:
    return record.answered_at + SETTLE


def _agree(book: Book, records: Sequence[Reconciliation]) -> None:
    """Take consistent comparisons, the latest that says anything first.

    Of its present figure only the last one says something: where a balance moved in the
    time of that one, it did so in or after that of each before it.
    """
    if book.question is not None or book.astray:
        return  # what agrees may not be the figure that was told to us
    last, earlier = records[-1], 0
    if book.moved_at:
        earlier = bisect_left(records, book.moved_at[-1], key=_until)
    if earlier < len(records) and book.rested(last.requested_at - BEFORE, _until(last)):
        book.prove(Evidence(RECONCILIATION, last.requested_at))
    for record in reversed(records[:earlier]):  # of figures before the present one
        since = record.requested_at - BEFORE
        if book.rested(since, _until(record)):
            book.proven(record.requested_at)
            return
        if book.forgets(since):
            return


def _disagree(book: Book, record: Reconciliation, epoch: int) -> None:
    """Note what REST says otherwise of a balance, or that it does so no more."""
    found = next((row for row in record.differences if _speaks_of(row, book)), None)
    before = book.dispute
    if found is None:
        if len(record.differences) < LISTED_MAX:
            book.dispute = None
        return
    lasting = before is not None and (before.lasting or before.epoch < epoch)
    book.dispute = Dispute(
        None if found.streamed is None else to_unscaled(found.streamed),
        None if found.observed is None else to_unscaled(found.observed),
        to_unscaled(found.residual),
        before.epoch if before else epoch,
        record.requested_at,
        lasting,
    )


def _speaks_of(row: Difference, book: Book) -> bool:
    """Whether a difference is of a balance, or of a sum that it is part of."""
    place = book.place
    return (
        row.cause == MISSED
        and (row.subaccount, row.asset) == (place.subaccount, place.asset)
        and row.wallet in {"", place.wallet}
        and (not row.wallet or row.wallet_id in {"", place.wallet_id})
    )
