"""What would have fired is what fires, beside what did."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_alerting.backtest import (
    AGREED,
    EXTRA,
    MISSED,
    UNJUDGED,
    UNKNOWN,
    Backtest,
    LateBacktest,
    notes,
    outcomes,
)
from balance_alerting.engine import Engine
from balance_alerting.restore import IN_FLIGHT, take
from balance_alerting.rules_text import read_rules
from balance_schemas.topics import ALERTS, EVENTS, PROOFS, RECONCILIATIONS, STATUS
from balance_shared.kafka import Incoming

RULES = read_rules(
    "rules: [{name: low, type: balance_below, below: 5, for: 3s, keep_firing_for: 0s}]"
)
LOW = "rules: [{name: low, type: balance_below, below: 5, keep_firing_for: 0s}]"
AT_ONCE = read_rules(LOW)
LATE = read_rules(
    "rules: [{name: late, type: transit_older_than, older_than: 60s, keep_firing_for: 0s}]"
)
EVERY = """
routes: {log: {type: log}}
data_quality: {for: 3s, keep_firing_for: 2s}
rules:
  - {name: low, type: balance_below, below: 5, clear: 6, for: 2s, keep_firing_for: 2s}
  - {name: fall, type: drop, amount: 4, window: 6s, keep_firing_for: 1s}
  - {name: big, type: movement_above, above: 3, keep_firing_for: 5s}
  - {name: off, type: proof_violated, for: 1s, keep_firing_for: 1s}
  - {name: unproven, type: unproven_for, for: 4s, keep_firing_for: 1s}
  - {name: stale, type: stale_for, for: 3s, keep_firing_for: 2s}
  - {name: rest, type: reconciliation_failed, for: 1s, keep_firing_for: 1s}
"""


def lying(topic, at, record):
    """Return a record as `Backtest.take` takes it."""
    place = Incoming(f"t.{topic.name}.v1", 0, 0, record.key, b"", at.timestamp() * 1000)
    return at, record, place


def played(events, start, end):
    """Return the episodes that rules would have had."""
    backtest = Backtest(RULES, start, end)
    for event in events:
        backtest.take(*lying(EVENTS, event.received_at, event))
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
    stage = play(LOW)
    stage.tell(make.event(12, 4), make.event(15, 9))
    stage.tell(make.event(100, 4), make.event(101, 9))
    events = [make.event(n, b) for n, b in ((10, 4), (20, 9), (50, 4), (60, 9))]
    would = played(events, make.at(0), make.at(200))
    times = make.at(0), make.at(200)
    found = outcomes(would, stage.records, AT_ONCE, times, {})
    assert [AGREED, MISSED, EXTRA] == [one.compared for one in found]
    assert sorted(one.started_at for one in found) == [one.started_at for one in found]
    lost = {ALERTS: make.at(60), EVENTS: make.at(110)}
    found = outcomes(would, stage.records, AT_ONCE, times, lost)
    assert [AGREED, UNKNOWN, UNJUDGED] == [one.compared for one in found]


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        (STATUS, ["stale: not judged before", "what would have been held"]),
        (PROOFS, ["off, unproven: not judged", "what would have been held"]),
        (RECONCILIATIONS, ["rest: not judged before"]),
        (EVENTS, ["the events topic begins at 2026-03-01 12:00:09 UTC"]),
        (ALERTS, ["what it does not tell of is not known"]),
    ],
)
def test_what_cannot_be_judged_is_said_by_rule(topic, says, make):
    """And nothing where the topic is whole for the time that is asked for."""
    rules = read_rules(EVERY)
    lines = list(notes(rules, make.at(0), {topic: make.at(9)}))
    assert len(says) == len(lines)
    assert all(part in line for part, line in zip(says, lines, strict=True))
    assert [] == list(notes(rules, make.at(10), {topic: make.at(9)}))


def test_a_balance_of_which_nothing_is_told_is_known_by_its_latest(make):
    """It broke the rule before the time began."""
    for seconds, count in ((-9000, 1), (50, 0)):
        backtest = Backtest(RULES, make.at(0), make.at(100), [make.event(seconds, 4)])
        assert count == len(backtest.finish())


def test_transfers_are_played_over_all_partitions(make):
    """Told an account at a time, they are judged in the order of time."""
    backtest = LateBacktest(LATE, make.at(0), make.at(1000))
    for event in (
        make.out(0, 3),
        make.out(100, 2),
        make.came(90, 3),
        make.came(120, 2),
    ):
        backtest.take(event)
    found = backtest.finish()
    assert [(make.at(60), make.at(90))] == [
        (o.started_at, o.resolved_at) for o in found
    ]


def stories(make):
    """Return a strategy of records of every kind, with when they were written."""
    asset = st.sampled_from(["BTC", "ETH"])
    verdict = st.sampled_from(["PROVEN", "UNPROVEN", "VIOLATED"])
    state = st.sampled_from(["live", "stale", "degraded", "maintenance"])
    answer = st.sampled_from(["consistent", "inconsistent", "inconclusive"])
    kinds = st.one_of(
        st.tuples(st.just("event"), asset, st.integers(0, 12)),
        st.tuples(st.just("proof"), asset, verdict),
        st.tuples(st.just("status"), st.just(""), state),
        st.tuples(st.just("compared"), st.just(""), answer),
    )

    def told(story):
        at, found, before = 0.0, [], {}
        for number, (wait, (kind, asset, what)) in enumerate(story):
            at += wait
            if kind == "event":
                delta = make.amount(what - before.get(asset, what))
                before[asset] = what
                event = make.event(
                    at, what, asset=asset, event_id=f"n{number}", delta=delta
                )
                found.append(lying(EVENTS, make.at(at), event))
            elif kind == "proof":
                proof = make.proof(at, what, asset=asset)
                found.append(lying(PROOFS, make.at(at), proof))
            else:
                record = getattr(make, kind)(at, what)
                topic = STATUS if kind == "status" else RECONCILIATIONS
                found.append(lying(topic, make.at(at), record))
        return found

    wait = st.sampled_from([0.25, 0.5, 1, 2, 5, 60])
    return st.lists(st.tuples(wait, kinds), max_size=40).map(told)


def lived(rules, story, end, make):
    """Return the alerts of an engine that lives through a story as the service does."""
    engine, now = Engine(rules), make.at(0)
    engine.begin(now)
    for at, record, incoming in story:
        while (now := now + timedelta(milliseconds=250)) <= at - IN_FLIGHT:
            engine.tick(now)
        now = at - IN_FLIGHT
        take(engine, record, incoming)
    engine.tick(end)
    return engine.alerts.take_records()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_it_finds_what_a_living_engine_told(data, make):
    """Of events, states, proofs and comparisons: the same alerts at the same times."""
    rules = read_rules(EVERY)
    story = data.draw(stories(make))
    end = (story[-1][0] if story else make.at(0)) + timedelta(seconds=200)
    was = lived(rules, story, end, make)
    backtest = Backtest(rules, make.at(0), end)
    for told in story:
        backtest.take(*told)
    would = backtest.finish()
    found = outcomes(would, was, rules, (make.at(0), end), {})
    assert {AGREED} >= {one.compared for one in found}
    last = {(one.alert_id, one.started_at): one for one in was}
    ends = {
        place: (one.resolved_at, one.attributes["notice"], one.attributes["count"])
        for place, one in last.items()
        if one.attributes["notice"] != "0"
    }
    same = {
        (one.alert_id, one.started_at): (
            one.resolved_at,
            str(one.notice),
            str(one.count),
        )
        for one in would
    }
    assert ends == same


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_was_before_the_time_counts_as_it_stood(data, make):
    """Begun in the middle, what fires later is what fires from the beginning on."""
    rules = read_rules(EVERY)
    story = data.draw(stories(make))
    at = data.draw(st.integers(0, 60))
    end = (story[-1][0] if story else make.at(0)) + timedelta(seconds=200)
    found = []
    for start in (make.at(0), make.at(at)):
        backtest = Backtest(rules, start, end)
        for told in story:
            backtest.take(*told)
        found.append(
            {
                (one.alert_id, one.started_at)
                for one in backtest.finish()
                if one.started_at > make.at(at + 120)
            }
        )
    assert found[0] == found[1]
