"""What the bus says, by venue and by asset."""

from decimal import Decimal

import pytest

from balance_demo.board import Board
from balance_demo.books import Place
from balance_schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    LATEST,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
)


@pytest.fixture
def board():
    """Give an empty board of two venues."""
    return Board(("kraken", "ndax"))


def test_an_older_connection_is_not_heard(board, event):
    """A record of a smaller epoch changes nothing."""
    board.take(LATEST, event("2", epoch=2))
    board.take(LATEST, event("1", epoch=1))
    assert {Place("kraken", "", "main", "BTC"): Decimal(2)} == board.books()


def test_books_are_of_one_venue_or_all(board, event):
    """The other venue's balances are left out."""
    board.take(LATEST, event("1"))
    board.take(LATEST, event("2", venue="ndax"))
    assert [Decimal(2)] == list(board.books("ndax").values())
    assert [Decimal(1), Decimal(2)] == list(board.books().values())


def test_liabilities_count_against_assets_and_claims_apart(board, event):
    """Every digit of the sum over venues; what is unknown is in no sum."""
    amount = "123456789.123456789012345678"
    for number, (nature, venue) in enumerate(
        [
            ("asset", "kraken"),
            ("asset", "ndax"),
            ("liability", "ndax"),
            ("claim", "ndax"),
            ("unknown", "ndax"),
        ]
    ):
        told = event(amount, nature=nature, venue=venue, wallet=f"w{number}")
        board.take(LATEST, told)
    (held,) = board.holdings()
    assert {"kraken": Decimal(amount), "ndax": Decimal(0)} == held.net
    assert (Decimal(amount), Decimal(amount)) == (held.total, held.claims)


def test_chains_of_a_coin_are_one_asset(board, event):
    """The coin is the asset of the sum, whatever its chain."""
    for asset in ("USDC.ETH", "USDC.SOL"):
        told = event("1.5", asset=asset, attributes={"base_asset": "USDC"})
        board.take(LATEST, told)
    assert [("USDC", Decimal(3))] == [(h.asset, h.total) for h in board.holdings()]


def test_what_most_venues_hold_comes_first(board, event):
    """Then by name."""
    for asset, venue in (("A", "ndax"), ("B", "ndax"), ("Z", "kraken"), ("Z", "ndax")):
        board.take(LATEST, event("1", asset=asset, venue=venue))
    assert ["Z", "A", "B"] == [held.asset for held in board.holdings()]


def test_a_holding_is_as_old_and_as_doubtful_as_its_worst_part(
    board, event, status, at
):
    """One venue that is not live, or was never confirmed, is told."""
    for venue in ("kraken", "ndax"):
        board.take(LATEST, event("1", venue=venue))
    board.take(STATUS, status("live", confirmed_at=at(9)))
    board.take(STATUS, status("live", feed="rest", confirmed_at=at(50)))
    (held,) = board.holdings()
    assert (("ndax",), None) == (held.doubtful, held.confirmed_at)
    board.take(STATUS, status("stale", venue="ndax", confirmed_at=at(4)))
    (held,) = board.holdings()
    assert (("ndax",), at(4)) == (held.doubtful, held.confirmed_at)


def test_state_comes_from_the_feed_of_the_balances(board, event, status):
    """The status of another feed of the account is not taken for it."""
    board.take(LATEST, event("1"))
    board.take(STATUS, status("live", feed="rest"))
    assert ["", ""] == [venue.state for venue in board.venues()]
    board.take(STATUS, status("stale"))
    assert ["stale", ""] == [venue.state for venue in board.venues()]
    assert [True, False] == [
        board.owns_balances(status("live", feed=feed)) for feed in ("ws", "rest")
    ]


def test_events_are_counted_once_for_each_id(board, event):
    """What was learned late is counted apart; a repeated id is no event."""
    for kind, seconds in (("snapshot", 1), ("update", 2), ("backfill", 2)):
        board.take(EVENTS, event("1", kind=kind, seconds=seconds))
    board.take(EVENTS, event("1", kind="backfill", seconds=3))
    kraken = board.venues()[0]
    assert (3, 1) == (kraken.told, kraken.late)
    assert {} == board.books()


def test_verdicts_and_dead_letters_are_counted(board, reconciliation, dead_letter):
    """The last verdict is known, and how many there were of each."""
    for verdict in ("inconclusive", "consistent", "consistent"):
        board.take(RECONCILIATIONS, reconciliation(verdict))
    board.take(DEAD_LETTERS, dead_letter)
    kraken = board.venues()[0]
    assert "consistent" == kraken.verdict
    assert {"inconclusive": 1, "consistent": 2} == kraken.verdicts
    assert 1 == board.dead_letters


def test_the_worst_verdict_and_how_many_are_proven_are_known(board, event, proof):
    """The last of each balance counts."""
    for asset in ("BTC", "ETH"):
        board.take(LATEST, event("1", asset=asset))
    assert [None, None] == [venue.worst for venue in board.venues()]
    board.take(PROOFS, proof("UNPROVEN", reason="told once"))
    board.take(PROOFS, proof("PROVEN", asset="ETH", through=5))
    kraken = board.venues()[0]
    assert ("told once", 1) == (kraken.worst.reason, kraken.proven)
    board.take(PROOFS, proof("PROVEN", through=3))
    kraken = board.venues()[0]
    assert ("PROVEN", 2) == (kraken.worst.verdict, kraken.proven)


def test_the_watermark_waits_for_every_venue(board, event, proof, at):
    """It is the least of all balances."""
    for venue, through in (("kraken", 9), ("ndax", 4)):
        assert board.watermark() is None
        board.take(LATEST, event("1", venue=venue))
        assert board.watermark() is None
        board.take(PROOFS, proof("PROVEN", venue=venue, through=through))
    assert at(4) == board.watermark()
