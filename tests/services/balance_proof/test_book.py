"""Evidence speaks for the present figure; what was proven once stays proven."""

from datetime import UTC, datetime, timedelta

import pytest

from balance_proof.book import CHAIN, MOVES_KEPT, RECONCILIATION, Book, Evidence, Place

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PLACE = Place("kraken", "main", "", "spot", "main", "BTC")


@pytest.fixture
def book():
    """Give a balance."""
    return Book(PLACE, 1, "e", 1)


def test_later_evidence_counts(book):
    """Of two that speak for the same figure."""
    book.prove(Evidence(CHAIN, NOON))
    book.prove(Evidence(RECONCILIATION, NOON + SECOND))
    book.prove(Evidence(CHAIN, NOON))
    assert Evidence(RECONCILIATION, NOON + SECOND) == book.evidence


def test_doubt_ends_evidence_and_not_what_was_proven(book):
    """A figure that nothing speaks for says nothing of the one before."""
    book.prove(Evidence(CHAIN, NOON))
    book.proven(NOON)
    book.doubt("moved")
    book.proven(NOON - SECOND)
    assert (None, "moved", NOON) == (book.evidence, book.why, book.proven_through)


def test_rest_is_known_as_far_as_movements_are_remembered(book):
    """Where the oldest movements are forgotten nobody can say that there was none."""
    book.moved_at.append(NOON)
    assert not book.rested(NOON - SECOND, NOON)
    assert book.rested(NOON + SECOND, NOON + 2 * SECOND)
    book.moved_at.extend([NOON + 9 * SECOND] * MOVES_KEPT)
    assert not book.rested(NOON + SECOND, NOON + 2 * SECOND)


def test_group_is_what_polls_can_tell():
    """Subaccount and asset, whatever the wallets are called."""
    assert ("", "BTC") == PLACE.group
