"""The verdict."""

import io
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from balance_demo.books import Difference, Place
from balance_demo.plays import Incident, Play
from balance_demo.summary import EQUAL, Summary, proof_of, render, verdict
from balance_shared.watermark import standings

BTC = Place("kraken", "", "main", "BTC")
GAP = Play("kraken", "gap", "gap")


@pytest.fixture
def good(at, view):
    """Give what a good run finds."""
    kraken = view("kraken", told=125, verdicts=Counter(consistent=3))
    ndax = view("ndax", told=60, late=4)
    return Summary(
        venues=(kraken, ndax),
        truth=(BTC, Place("ndax", "P", "available", "BTC")),
        differences=(),
        rows={"kraken": 125, "ndax": 60},
        incidents=(Incident(GAP, at(1), "stale", at(2), at(3), at(4)),),
        first_balances_s=9.5,
    )


def drawn(summary: Summary) -> str:
    """Return the summary as text."""
    console = Console(file=io.StringIO(), width=160)
    console.print(render(summary))
    return console.file.getvalue()


def test_equal_books_are_told(good):
    """No differences, and all events stored: equal."""
    assert (True, EQUAL) == (good.equal, verdict(good).plain)
    text = drawn(good)
    assert text.rstrip().endswith(EQUAL)
    for part in ("3 consistent", "books right after 3.0 s", "after 9.5 s"):
        assert part in text


def test_a_difference_is_listed_and_decides(good):
    """One wrong digit in one place: not equal, and the figures are named."""
    bad = replace(good, differences=(Difference("Kafka", BTC, Decimal("1.5"), None),))
    text = drawn(bad)
    assert (False, True) == (bad.equal, "do NOT equal" in text)
    for part in ("kraken main BTC", "1.5", "none", "kraken: 1 differences"):
        assert part in text


def test_many_differences_are_cut_short(good):
    """A wrong key convention does not flood the terminal."""
    wrong = Difference("Kafka", BTC, Decimal(1), Decimal(2))
    assert "... and 20 more" in drawn(replace(good, differences=(wrong,) * 30))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"truth": (BTC,)}, "ndax: no balances"),
        ({"rows": {"kraken": 124, "ndax": 60}}, "kraken: PostgreSQL lacks 1 events"),
    ],
)
def test_an_empty_or_incomplete_run_is_no_success(good, found, reason):
    """Nothing compared at one venue, or an event not stored: not equal."""
    bad = replace(good, **found)
    assert (False, True) == (bad.equal, reason in verdict(bad).plain)


def test_trouble_that_did_not_heal_is_waited_for(good, at, status):
    """A venue that is not live, or books that were not seen right: not healed."""
    stuck = replace(good, incidents=(Incident(GAP, at(4)),))
    good.venues[1].status = status("stale")
    assert [False, False] == [good.healed, stuck.healed]


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (["PROVEN", "PROVEN"], "2 PROVEN"),
        (["PROVEN", "UNPROVEN"], "1 UNPROVEN: told once"),
        (["VIOLATED", "UNPROVEN"], "1 VIOLATED: told once"),
        ([], "-"),
    ],
)
def test_what_is_not_proven_is_said_with_its_reason(verdicts, says, good, proof, view):
    """The worst verdict, and how many balances have it."""
    proofs = [
        proof(verdict, asset=f"A{number}", reason="told once")
        for number, verdict in enumerate(verdicts)
    ]
    (standing,) = standings(proofs, [("kraken", "demo")])
    worst = min(proofs, key=lambda one: one.verdict != "VIOLATED", default=None)
    if verdicts[:1] == ["PROVEN"]:
        worst = proofs[-1]
    kraken = view("kraken", balances=2, standing=standing, worst=worst)
    assert says == proof_of(kraken).plain
    assert (verdicts == ["PROVEN", "PROVEN"]) == replace(good, venues=(kraken,)).proven


def test_the_watermark_is_told(good, at):
    """In the local time, or that there is none."""
    assert "not proven as a whole" in drawn(good)
    through = at(42).replace(tzinfo=None).astimezone()
    assert "proven up to 12:00:42" in drawn(replace(good, watermark=through))
