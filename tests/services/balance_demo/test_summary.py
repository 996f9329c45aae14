"""The verdict."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from balance_demo.books import Difference
from balance_demo.plays import Incident, close, gap
from balance_demo.summary import EQUAL, Summary, render, verdict


@pytest.fixture
def good(at):
    """Give what a good run finds."""
    healed = Incident(gap(1), "kraken", at(1), at(2), at(3))
    return Summary(
        compared=25,
        differences=(),
        events=125,
        repeated=0,
        rows=125,
        gaps=1,
        incidents=(healed,),
        first_balance_s=9.5,
    )


def drawn(summary: Summary) -> str:
    """Return the summary as text."""
    console = Console(file=io.StringIO(), width=160)
    console.print(render(summary))
    return console.file.getvalue()


def test_equal_books_are_told(good):
    """No differences, and all events stored: equal."""
    assert (True, EQUAL) == (good.equal, verdict(good).plain)
    assert drawn(good).rstrip().endswith(EQUAL)


def test_a_difference_is_listed_and_decides(good):
    """One wrong digit in one place: not equal, and the figures are named."""
    key = "kraken|demo||spot/main|BTC"
    wrong = Difference("PostgreSQL", key, Decimal("1.5"), None)
    bad = replace(good, differences=(wrong,))
    text = drawn(bad)
    assert (False, True) == (bad.equal, "do NOT equal" in text)
    assert all(part in text for part in (key, "1.5", "none", "1 differences"))


def test_many_differences_are_cut_short(good):
    """A wrong key convention does not flood the terminal."""
    wrong = Difference("Kafka", "some key", Decimal(1), Decimal(2))
    assert "... and 20 more" in drawn(replace(good, differences=(wrong,) * 30))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"compared": 0}, "there are no balances"),
        ({"rows": 124}, "PostgreSQL lacks 1 events"),
    ],
)
def test_an_empty_or_incomplete_run_is_no_success(good, found, reason):
    """Nothing compared, or an event not stored: not equal."""
    bad = replace(good, **found)
    assert (False, True) == (bad.equal, reason in verdict(bad).plain)


def test_an_id_told_twice_is_stored_once(good):
    """Repeated ids are not missing rows."""
    assert replace(good, repeated=5, rows=120).equal


def test_trouble_that_did_not_heal_is_shown(good, at):
    """It is in the table; the verdict is about the books."""
    stuck = Incident(close(2), "kraken", at(4))
    text = drawn(
        replace(good, incidents=(*good.incidents, stuck), first_balance_s=None)
    )
    assert "2, 1" in text
