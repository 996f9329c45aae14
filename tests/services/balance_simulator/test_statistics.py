"""Counting connection attempts."""

from balance_simulator.statistics import ATTEMPTS_WINDOW_US, Statistics


def test_attempts_leave_the_window():
    """Attempts older than ten minutes count in the total only."""
    statistics = Statistics()
    statistics.attempt(0)
    assert statistics.attempt(ATTEMPTS_WINDOW_US) == 2
    assert statistics.attempt(ATTEMPTS_WINDOW_US + 1) == 2
    assert statistics.attempts == 3
