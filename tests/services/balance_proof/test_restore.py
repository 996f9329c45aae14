"""How far reading is, in records."""

from structlog.testing import capture_logs

from balance_proof.restore import TOLD_EVERY_S, Restore

EVENTS, STATES = ("events", 0), ("status", 0)


def test_progress_counts_what_was_there_at_the_start():
    """Retention took the first hundred; what comes meanwhile is none of it."""
    restore = Restore({EVENTS: 100}, {EVENTS: 1100, STATES: 500}, 0.0)
    assert "0 of 1,500 records" in restore.reach({EVENTS: 100}, 1.0)
    assert "1,200 of 1,500 records" in restore.reach({EVENTS: 2000, STATES: 200}, 2.0)
    assert not restore.is_done


def test_log_tells_it_now_and_then():
    """Every few seconds, and at the end how long it took."""
    restore = Restore({}, {EVENTS: 10}, 0.0)
    with capture_logs() as told:
        restore.reach({EVENTS: 1}, TOLD_EVERY_S - 1)
        restore.reach({EVENTS: 5}, TOLD_EVERY_S)
        restore.reach({EVENTS: 6}, TOLD_EVERY_S + 1)
        restore.end(9.04)
    assert [("restoring", 5), ("restored", None)] == [
        (one["event"], one.get("read")) for one in told
    ]
    assert (10, 9.0) == (told[-1]["records"], told[-1]["seconds"])
    assert restore.is_done
