"""The order of lines: by time, then by what each starts from, then as listed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from balance_connector.books import Observed, Pocket
from balance_connector.lines import Lines, oldest_first

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BTC, USD = (Pocket("", "spot", "main", code, code) for code in ("BTC", "USD"))


def line(start: int, delta: int | None, second: int = 0, pocket: Pocket = BTC):
    """Return a line from a balance on."""
    return Observed(
        pocket,
        Decimal(start + (delta or 0)),
        delta=None if delta is None else Decimal(delta),
        venue_time=NOW + timedelta(seconds=second),
    )


def is_chain(lines: list[Observed]) -> bool:
    """Whether each line starts from what the one before it led to."""
    return all(
        before.balance == line.balance - line.delta for before, line in pairwise(lines)
    )


def test_lines_of_one_time_come_newest_first_and_are_turned():
    """Without figures that say it, the venue's order is all there is."""
    lines = [line(3, None), line(2, None), line(1, None)]

    assert lines[::-1] == oldest_first(lines)


def test_time_comes_before_all():
    """Figures decide within one time only."""
    late, early = line(0, 1, second=2), line(1, 1, second=1)

    assert [early, late] == oldest_first([early, late])


def test_order_of_each_balance_is_its_own():
    """The legs of a trade stand side by side."""
    lines = [line(1, 2), line(9, -4, pocket=USD), line(0, 1), line(10, -1, pocket=USD)]

    assert [lines[at] for at in (3, 2, 1, 0)] == oldest_first(lines)
    assert [lines[at] for at in (3, 2, 1, 0)] == oldest_first([lines[0], *lines[:0:-1]])


def test_gap_between_lines_leaves_the_order_as_listed():
    """Where a line is missing, nothing is put before what it may have come after."""
    lines = [line(7, 1), line(0, 1), line(1, 1)]

    assert lines[::-1] == oldest_first(lines)


def test_figure_that_cannot_be_subtracted_says_nothing():
    """A start that fits no record is not known."""
    huge = Decimal(10) ** 20 - 1
    lines = [Observed(BTC, huge, delta=-huge, venue_time=NOW), line(0, 1)]

    assert lines[::-1] == oldest_first(lines)


@settings(max_examples=300, deadline=None)
@given(deltas=st.lists(st.integers(-2, 2), min_size=1, max_size=12), data=st.data())
def test_lines_that_can_follow_one_another_do(deltas, data):
    """In whatever order they are listed; one that is right already stays."""
    lines, balance = [], 0
    for delta in deltas:
        lines.append(line(balance, delta))
        balance += delta
    listed = data.draw(st.permutations(lines))
    ordered = oldest_first(listed)

    assert is_chain(ordered)
    assert sorted(map(str, lines)) == sorted(map(str, ordered))
    assert lines == oldest_first(lines[::-1])


def test_lines_of_the_time_with_which_a_page_ends_wait():
    """For the rest of them, however many pages it takes; the last page waits for none."""
    a, b, c, d = line(0, 1), line(1, 2), line(3, 3), line(6, 1, second=1)
    lines = Lines()
    pages = [lines.page([d, c], last=False), lines.page([b], last=False)]

    assert [[d], []] == pages
    assert [a, b, c] == lines.page([a], last=True)
    assert [] == lines.page([], last=True)
