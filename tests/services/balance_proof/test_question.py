"""Lines explain a difference by an unbroken run of them, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_proof.question import Line, Question, explaining

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def lines(*changes: int) -> list[Line]:
    """Return lines, a second apart."""
    return [
        Line(NOON + n * SECOND, f"l{n}", change) for n, change in enumerate(changes)
    ]


@pytest.mark.parametrize(
    ("changes", "amount", "run"),
    [
        ((5,), 5, slice(0, 1)),
        ((1, 5, 7), 5, slice(1, 2)),
        ((1, 2, 3, 9), 5, slice(1, 3)),
        ((1, -1, 5), 5, slice(0, 3)),
        ((5, 5), 5, slice(1, 2)),
        ((), 0, slice(0, 0)),
        ((1, 2), 0, slice(0, 0)),
    ],
)
def test_longest_and_latest_run_is_taken(changes, amount, run):
    """Lines of before and of after the stretch are left out at both ends."""
    assert run == explaining(lines(*changes), amount)


@pytest.mark.parametrize(("changes", "amount"), [((), 5), ((1, 9, 4), 5), ((5,), 4)])
def test_what_no_run_sums_to_is_not_explained(changes, amount):
    """A run has no holes."""
    assert None is explaining(lines(*changes), amount)


@given(st.lists(st.integers(-4, 4), max_size=8), st.integers(-8, 8))
def test_run_sums_to_the_amount_and_is_the_longest(changes, amount):
    """As all runs, looked at one by one, have it."""
    told = lines(*changes)
    runs = [
        (stop - start)
        for start in range(len(told) + 1)
        for stop in range(start, len(told) + 1)
        if sum(changes[start:stop]) == amount and (stop > start or amount == 0)
    ]
    found = explaining(told, amount)
    assert max(runs, default=None) == (
        None if found is None else found.stop - found.start
    )
    assert found is None or sum(changes[found]) == amount


def test_question_is_widened_until_it_is_overdue():
    """What is overdue stays so, whatever comes after."""
    asked = Question([(NOON, 5)], NOON + SECOND)
    asked.widen(NOON, -2, NOON + 3 * SECOND)
    assert (3, NOON + 3 * SECOND) == (asked.amount, asked.due_at)
    asked.widen(NOON + 3 * SECOND, 1, NOON + 9 * SECOND)
    assert (4, NOON + 3 * SECOND) == (asked.amount, asked.due_at)


def test_only_what_is_not_newer_is_settled():
    """What did not add up after the time that was acknowledged is open still."""
    asked = Question([(NOON, 5), (NOON + SECOND, 1)], NOON)
    assert not asked.settle(NOON)
    assert 1 == asked.amount
    assert asked.settle(NOON + SECOND)
