"""How far reading is, in records."""

from balance_proof.restore import TOLD_EVERY_S, Restore

EVENTS, STATES = ("events", 0), ("status", 0)


def test_progress_counts_what_was_there_at_the_start():
    """Retention took the first hundred; what comes meanwhile is none of it."""
    restore = Restore({EVENTS: 100}, {EVENTS: 1100, STATES: 500}, 0.0)
    assert "0 of 1,500 records" in restore.reach({EVENTS: 100})
    assert "1,200 of 1,500 records" in restore.reach({EVENTS: 2000, STATES: 200})
    assert not restore.is_done


def test_log_tells_it_now_and_then():
    """Every few seconds, and at the end how long it took."""
    restore = Restore({}, {EVENTS: 10}, 2.0)
    at = (1.0, TOLD_EVERY_S, TOLD_EVERY_S + 1, 2 * TOLD_EVERY_S)
    assert [False, True, False, True] == [restore.is_due(2.0 + s) for s in at]
    assert (7.5, True, 10) == (restore.end(9.5), restore.is_done, restore.size)
