"""Transfers that take too long are told until they arrive, over restarts."""

import pytest

RULES = """
routes: {log: {type: log}}
rules:
  - {name: late, type: transit_older_than, older_than: 60s, keep_firing_for: 0s}
  - {name: low, type: negative}
"""


def test_the_oldest_is_told_and_how_many_more(make, play_late):
    """One alert for each balance."""
    stage = play_late(RULES)
    stage.tell(make.out(0, 3), make.out(1, 2), 100)
    (alert,) = stage.topic()
    assert "late|kraken|main||spot/main|BTC" == alert.alert_id
    assert make.at(60) == alert.started_at
    assert alert.summary == (
        "kraken main spot/main BTC: 3 in transit since 2026-03-01 12:00:00 UTC, and 1 more"
    )


def test_a_restart_reads_the_events_again_and_tells_nothing_new(make, play_late):
    """Alerts of other rules are not its own."""
    stage = play_late(RULES)
    stage.tell(make.out(0, 3), 100)
    after = play_late(RULES, before=stage.topic())
    assert [] == after.tell(make.out(0, 3), 101)
    assert ["late resolved"] == after.tell(make.came(110, 3), 111)


def test_an_engine_leaves_alerts_of_transfers_alone(make, play, play_late):
    """They are of no partition."""
    stage = play_late(RULES)
    stage.tell(make.out(0, 3), 100)
    after = play(RULES, before=stage.topic())
    assert [] == after.tell(make.event(101, 3), 200)


@pytest.mark.parametrize("looks", [[100, 200, 300], [300]])
def test_looks_change_nothing(looks, make, play_late):
    """It began when it was late, whenever that was seen."""
    stage = play_late(RULES)
    stage.tell(make.out(0, 3), *looks)
    assert [make.at(60)] == [one.started_at for one in stage.topic()]
