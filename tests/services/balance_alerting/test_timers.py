"""Whoever is set goes off in the order of the times, once."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from balance_alerting.timers import BEFORE_ALL, Timers


@given(times=st.lists(st.integers(1, 50)), now=st.integers(0, 60))
def test_they_go_off_in_order_and_no_later_one_does(times, now, make):
    """Each at its own time."""
    timers = Timers()
    for time in times:
        timers.set(SimpleNamespace(wake=None), make.at(time))
    seen = [timers.now for _ in timers.advance(make.at(now))]
    assert sorted(make.at(time) for time in times if time <= now) == seen
    assert make.at(now) == timers.now


def test_the_earlier_of_two_times_counts(make):
    """And the later one does not wake again."""
    timers, one = Timers(), SimpleNamespace(wake=None)
    assert BEFORE_ALL == timers.now
    for time in (9, 5, 7, None):
        timers.set(one, None if time is None else make.at(time))
    woken = [timers.now for _ in timers.advance(make.at(20))]
    assert [make.at(5)] == woken
