"""What would have fired is what fires, beside what did."""

from hypothesis import given, settings
from hypothesis import strategies as st

from balance_alerting.backtest import AGREED, EXTRA, MISSED, Backtest, outcomes
from balance_alerting.memory import episode_of
from balance_alerting.rules_text import read_rules

RULES = read_rules(
    "rules: [{name: low, type: balance_below, below: 5, for: 3s, keep_firing_for: 0s}]"
)


def played(events, start, end):
    """Return the episodes that rules would have had."""
    backtest = Backtest(RULES, start, end)
    for event in events:
        backtest.take(event)
    return backtest.finish()


def test_alerts_begin_and_end_as_they_would_have(make):
    """The time after the last event passes too."""
    events = [make.event(0, 9), make.event(10, 4), make.event(20, 6), make.event(30, 2)]
    found = played(events, make.at(0), make.at(60))
    times = [(one.started_at, one.resolved_at) for one in found]
    assert [(make.at(13), make.at(20)), (make.at(33), None)] == times


def test_only_the_time_asked_for_counts(make):
    """What was broken before begins with it, what comes later is not read."""
    events = [make.event(0, 4), make.event(100, 9), make.event(200, 4)]
    found = played(events, make.at(50), make.at(150))
    assert [(make.at(3), make.at(100))] == [
        (o.started_at, o.resolved_at) for o in found
    ]
    assert [] == played([make.event(0, 9)], make.at(50), make.at(150))


def test_what_was_is_compared(make, play):
    """By rule and balance, where the times overlap."""
    text = "rules: [{name: low, type: balance_below, below: 5, keep_firing_for: 0s}]"
    stage = play(text)
    stage.tell(make.event(12, 4), make.event(15, 9))
    stage.tell(make.event(100, 4), make.event(101, 9))
    was = {(a.alert_id, a.started_at): episode_of(a) for a in stage.records}.values()
    events = [
        make.event(10, 4),
        make.event(20, 9),
        make.event(50, 4),
        make.event(60, 9),
    ]
    would = played(events, make.at(0), make.at(200))
    found = outcomes(would, was, make.at(0), make.at(200))
    assert [AGREED, MISSED, EXTRA] == [one.compared for one in found]
    assert sorted(one.started_at for one in found) == [one.started_at for one in found]


@settings(max_examples=30, deadline=None)
@given(balances=st.lists(st.integers(0, 9), max_size=20))
def test_it_finds_what_the_engine_finds(balances, make, play):
    """The same code, the same alerts."""
    events = [make.event(2 * n, balance) for n, balance in enumerate(balances)]
    stage = play(
        "rules: [{name: low, type: balance_below, below: 5, for: 3s, "
        "keep_firing_for: 0s}]"
    )
    stage.tell(*events, 100)
    lived = {
        (one.alert_id, one.started_at, one.resolved_at)
        for one in stage.records
        if one.resolved_at or one.state == "firing"
    }
    ended = {one[:2] for one in lived if one[2]}
    wanted = {one for one in lived if one[2] or one[:2] not in ended}
    found = played(events, make.at(0), make.at(100))
    assert wanted == {(o.alert_id, o.started_at, o.resolved_at) for o in found}
