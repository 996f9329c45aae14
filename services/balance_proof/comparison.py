"""What a comparison of stream and REST says of the books.

The connector compares balances at rest, over up to five answers of REST. What moved
from just before the first until a settle time after the last is left out here: of the
rest a ``consistent`` verdict says that the venue's REST agrees with the figure that the
stream told, and that it did so when the first answer was asked for. A comparison of
which nobody knows whether the connection that it speaks of went on proves nothing; who
calls `compare` sees to that.
"""

from collections.abc import Iterable
from datetime import timedelta

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
    ledger: Ledger, books: Iterable[Book], record: Reconciliation, *, went_on: bool
) -> bool:
    """Take a comparison.

    Args:
        ledger: the books as told until now.
        books: those of them to compare.
        record: the comparison.
        went_on: whether the connection that it speaks of is known to have gone on.

    Returns:
        Whether it agrees with whatever was at rest.
    """
    present = record.requested_at >= time_of_epoch(ledger.epoch)
    agrees = record.verdict == "consistent" and went_on and present
    if record.verdict == "consistent":
        for book in books:
            book.dispute = None
            if agrees and ledger.is_pictured(book):
                _agree(book, record)
    elif record.verdict == "inconsistent":
        for book in books:
            _disagree(book, record, ledger.epoch if present else ledger.epoch - 1)
    return agrees


def _agree(book: Book, record: Reconciliation) -> None:
    since, until = record.requested_at - BEFORE, record.answered_at + SETTLE
    if not book.rested(since, until) or book.question is not None or book.astray:
        return  # what agrees may not be the figure that was told to us
    if book.moved_at and book.moved_at[-1] > until:
        book.proven(record.requested_at)  # of a figure that is not the present one
    else:
        book.prove(Evidence(RECONCILIATION, record.requested_at))


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
