"""The first thing that holds decides the verdict."""

from decimal import Decimal

import pytest

from balance_proof.book import CHAIN, RECONCILIATION, Book, Dispute, Evidence, Place
from balance_proof.ledger import Ledger, Picture
from balance_proof.question import Question
from balance_proof.verdicts import Finding, book_of, finding, proof_of

UNITS = 10**18
PLACE = Place("kraken", "main", "", "spot", "main", "BTC")


@pytest.fixture
def ledger(make):
    """Give books whose picture is whole."""
    ledger = Ledger({})
    ledger.begin(make.epoch(0), Picture("p", 0))
    return ledger


@pytest.fixture
def book(make):
    """Give a balance of 3 that a chain speaks for."""
    book = Book(PLACE, 3 * UNITS, "e", make.epoch(0))
    book.evidence = Evidence(CHAIN, make.at(1))
    return book


def question(make):
    """Return a question of 1 that is due a minute after noon."""
    return Question([(make.at(0), UNITS)], make.at(60))


def dispute(make, *, lasting):
    """Return a dispute: REST says 5."""
    return Dispute(3 * UNITS, 5 * UNITS, 2 * UNITS, 1, make.at(0), lasting)


def test_evidence_and_nothing_against_it_is_proof(book, ledger, make):
    """Expected is observed."""
    expected = Finding("PROVEN", CHAIN, "", 3 * UNITS, 3 * UNITS, 0)
    assert expected == finding(book, ledger, "", make.at(9))


@pytest.mark.parametrize(("seconds", "verdict"), [(59, "UNPROVEN"), (60, "VIOLATED")])
def test_question_is_a_violation_once_it_is_overdue(
    book, ledger, make, seconds, verdict
):
    """Until then the history may explain it; a feed that is down changes neither."""
    book.question = question(make)
    found = finding(book, ledger, "", make.at(seconds))
    assert (verdict, 2 * UNITS, 3 * UNITS, UNITS) == (found.verdict, *found[3:])
    stale = finding(book, ledger, "stale", make.at(seconds))
    assert verdict == stale.verdict
    assert ("stale" == stale.reason) is (verdict == "UNPROVEN")


@pytest.mark.parametrize(
    ("lasting", "verdict"), [(False, "UNPROVEN"), (True, "VIOLATED")]
)
def test_dispute_is_a_violation_once_it_lasts(book, ledger, make, lasting, verdict):
    """Expected is what the stream said, observed what REST says."""
    book.dispute = dispute(make, lasting=lasting)
    found = finding(book, ledger, "", make.at(9))
    assert (verdict, RECONCILIATION) == found[:2]
    assert (3 * UNITS, 5 * UNITS, 2 * UNITS) == found[3:]


def test_dispute_of_what_we_do_not_know_names_our_figure(book, ledger, make):
    """Streamed and observed may both be unknown."""
    book.dispute = Dispute(None, None, 0, 1, make.at(0))
    assert (3 * UNITS, 3 * UNITS, 0) == finding(book, ledger, "", make.at(9))[3:]


def test_feed_that_is_not_live_proves_nothing(book, ledger, make):
    """The reason is the feed's."""
    found = finding(book, ledger, "stale", make.at(9))
    assert ("UNPROVEN", "stale", None) == (found.verdict, found.reason, found.expected)


def test_half_a_picture_proves_nothing(book, ledger, make):
    """The other half may say otherwise."""
    ledger.picture = Picture("p", 2, 1)
    assert "picture incomplete" == finding(book, ledger, "", make.at(9)).reason


def test_balance_that_was_left_out_is_not_proven(book, ledger, make):
    """The latest picture is silent of it."""
    book.epoch = make.epoch(-60)
    assert "latest picture" in finding(book, ledger, "", make.at(9)).reason


def test_figure_without_evidence_is_not_proven(book, ledger, make):
    """The book says why."""
    book.doubt("moved")
    assert ("UNPROVEN", "moved") == (
        finding(book, ledger, "", make.at(9)).verdict,
        finding(book, ledger, "", make.at(9)).reason,
    )


def test_record_says_all_of_it(book, ledger, make):
    """Amounts to the last digit; one that fits no record is left out."""
    book.balance, book.proven_through = 1, make.at(1)
    record = proof_of(book, finding(book, ledger, "", make.at(9)), make.at(9))
    assert Decimal("1e-18") == record.observed
    assert (make.at(1), make.at(9), "e") == (
        record.proven_through,
        record.checked_at,
        record.last_event_id,
    )
    huge = Finding("VIOLATED", CHAIN, "", 10**40, 1, -(10**40))
    record = proof_of(book, huge, make.at(9))
    assert (None, Decimal("1e-18")) == (record.expected, record.observed)


def test_book_goes_on_from_its_verdict(book, ledger, make):
    """A verdict that is read back leaves its figure, evidence and question."""
    book.proven_through = make.at(1)
    proven = proof_of(book, finding(book, ledger, "", make.at(9)), make.at(9))
    again = book_of(proven)
    assert (book.place, book.balance, book.event_id) == (
        again.place,
        again.balance,
        again.event_id,
    )
    assert Evidence(CHAIN, make.at(1)) == again.evidence
    off = Finding("VIOLATED", CHAIN, "", 3, 5, 2)
    violated = book_of(proof_of(book, off, make.at(9)))
    assert [(make.at(9), 2)] == violated.question.parts
