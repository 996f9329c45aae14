"""The peak is the greatest value that was in force within the window."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from balance_alerting.window import Window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds):
    """Return a time."""
    return NOON + timedelta(seconds=seconds)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1),
    st.integers(1, 12),
    st.integers(0, 20),
)
def test_peak_is_that_of_all_values(steps, length, later):
    """What is left out never matters."""
    window, values, time = Window(timedelta(seconds=length)), [], 0
    for wait, value in steps:
        time += wait
        window.push(Decimal(value), at(time))
        values.append((time, value))
    now = time + later
    ends = [start for start, _ in values[1:]] + [None]
    in_force = [
        value
        for (_, value), end in zip(values, ends, strict=True)
        if end is None or end + length > now
    ]
    assert Decimal(max(in_force)) == window.peak(at(now))


def test_before_the_first_value_there_is_no_peak():
    """And nothing to wait for."""
    window = Window(timedelta(seconds=5))
    assert (None, None, True) == (window.peak(NOON), window.next_change(), window.empty)
