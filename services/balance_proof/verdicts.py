"""The verdict on one balance, from what is known of it and of its account.

In this order, the first that holds:

==============================================================  ==========
a question is overdue: nothing explains what does not add up    VIOLATED
REST says otherwise, and a new picture did not end that         VIOLATED
the feed is not live, or silent                                 UNPROVEN
a question is open: the history may still explain it            UNPROVEN
REST says otherwise                                             UNPROVEN
the picture is not whole, or did not tell this balance          UNPROVEN
events and latest say different things of it                    UNPROVEN
nothing speaks for the present figure yet                       UNPROVEN
otherwise                                                       PROVEN
==============================================================  ==========

``proven_through`` outlives all of them: what was proven once stays so.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from balance_proof.book import (
    RECONCILIATION,
    SNAPSHOT,
    Book,
    Dispute,
    Evidence,
    Place,
)
from balance_proof.ledger import Ledger
from balance_proof.question import Question
from balance_schemas.decimals import (
    AmountUnfitError,
    exact,
    from_unscaled,
    to_unscaled,
)
from balance_schemas.records import BalanceProof

PROVEN, UNPROVEN, VIOLATED = "PROVEN", "UNPROVEN", "VIOLATED"


ASTRAY = "lost on the bus: its last event and its record on latest differ"


class Finding(NamedTuple):
    """What is to be said of one balance; amounts in 10⁻¹⁸ of the asset."""

    verdict: str
    method: str
    reason: str
    expected: int | None
    observed: int
    residual: int | None


def finding(book: Book, ledger: Ledger, unwell: str, now: datetime) -> Finding:
    """Return the verdict on a balance.

    Args:
        book: the balance.
        ledger: the books of its account.
        unwell: why the feed cannot be trusted now; "" where it can.
        now: by the account's own records, UTC.
    """
    violated = _violation(book, now)
    if violated is not None:
        return violated
    method = book.evidence.method if book.evidence else SNAPSHOT
    if unwell:
        return Finding(UNPROVEN, method, unwell, None, book.balance, None)
    open_ = _open(book)
    if open_ is not None:
        return open_
    why = _lacking(book, ledger)
    if why:
        return Finding(UNPROVEN, method, why, None, book.balance, None)
    return Finding(PROVEN, method, "", book.balance, book.balance, 0)


def _violation(book: Book, now: datetime) -> Finding | None:
    asked, dispute = book.question, book.dispute
    if asked is not None and now >= asked.due_at:
        reason = "nothing that the venue told explains it"
        return _unexplained(book, asked, VIOLATED, reason)
    if dispute is not None and dispute.lasting:
        reason = "REST says otherwise, after a new picture too"
        return _disputed(book, dispute, VIOLATED, reason)
    return None


def _open(book: Book) -> Finding | None:
    if book.question is not None:
        reason = "backfill pending: not explained yet"
        return _unexplained(book, book.question, UNPROVEN, reason)
    if book.dispute is not None:
        return _disputed(book, book.dispute, UNPROVEN, "REST says otherwise")
    return None


def _lacking(book: Book, ledger: Ledger) -> str:
    """Return what is missing for a proof; "" if nothing is."""
    if ledger.picture is not None and not ledger.picture.whole:
        return "picture incomplete"
    if not ledger.is_pictured(book):
        return "not in the latest picture: unreadable, or filtered out"
    if book.astray:
        return ASTRAY
    return "" if book.evidence is not None else book.why


def _unexplained(book: Book, asked: Question, verdict: str, reason: str) -> Finding:
    amount = asked.amount
    method = book.evidence.method if book.evidence else SNAPSHOT
    figures = book.balance - amount, book.balance, amount
    return Finding(verdict, method, reason, *figures)


def _disputed(book: Book, dispute: Dispute, verdict: str, reason: str) -> Finding:
    expected = book.balance if dispute.streamed is None else dispute.streamed
    observed = book.balance if dispute.observed is None else dispute.observed
    figures = expected, observed, dispute.residual
    return Finding(verdict, RECONCILIATION, reason, *figures)


def proof_of(book: Book, found: Finding, checked_at: datetime) -> BalanceProof:
    """Return the record of a verdict; an amount that fits none is left out."""
    place = book.place
    return BalanceProof(
        venue=place.venue,
        account=place.account,
        subaccount=place.subaccount,
        wallet=place.wallet,
        wallet_id=place.wallet_id,
        asset=place.asset,
        verdict=found.verdict,
        method=found.method,
        reason=found.reason,
        expected=_amount(found.expected),
        observed=_amount(found.observed),
        residual=_amount(found.residual),
        proven_through=book.proven_through,
        checked_at=checked_at,
        last_event_id=book.event_id,
    )


def book_of(proof: BalanceProof) -> Book:
    """Return the book that a verdict was given on, as far as the verdict tells it."""
    place = Place(
        proof.venue,
        proof.account,
        proof.subaccount,
        proof.wallet,
        proof.wallet_id,
        proof.asset,
    )
    balance = 0 if proof.observed is None else to_unscaled(proof.observed)
    book = Book(place, balance, proof.last_event_id, None, absent=not balance)
    book.why = proof.reason
    if proof.verdict == PROVEN and proof.proven_through is not None:
        book.evidence = Evidence(proof.method, proof.proven_through)
    if proof.verdict == VIOLATED:
        book.question = question_of(proof)
    return book


def question_of(proof: BalanceProof) -> Question:
    """Return the question that a violation leaves open."""
    residual = 0 if proof.residual is None else to_unscaled(proof.residual)
    return Question([(proof.checked_at, residual)], proof.checked_at)


def _amount(units: int | None) -> Decimal | None:
    if units is None:
        return None
    try:
        return exact(from_unscaled(units))
    except (AmountUnfitError, ArithmeticError):
        return None
