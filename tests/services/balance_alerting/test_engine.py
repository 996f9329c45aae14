"""Records and time to alerts: every rule type, restarts anywhere, many balances."""

from decimal import Decimal

import pytest
from alert_cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_alerting.rules import RULE_TYPES

RULES = "rules: [{{name: it, type: {type}{rule}}}]"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}: {case.says}")
def test_case(case, make, play, play_late):
    """It fires, or is silent, as the docs say."""
    rule = f", {case.rule}" if case.rule else ""
    stage_of = play_late if case.type == "transit_older_than" else play
    stage = stage_of(RULES.format(type=case.type, rule=rule))
    stage.tell(*case.records(make))
    alert_ids = {one.alert_id for one in stage.topic() if one.state == "firing"}
    assert case.fires == any(one.startswith("it|") for one in alert_ids)


@pytest.mark.parametrize("kind", RULE_TYPES)
def test_every_type_fires_and_is_silent(kind):
    """No rule type goes without cases of both."""
    assert {True, False} == {case.fires for case in CASES if case.type == kind}


VALUES = """
rules:
  - {name: low, type: balance_below, below: 10, keep_firing_for: 0s}
  - {name: neg, type: negative, keep_firing_for: 0s}
"""


def test_value_alerts_are_held_while_an_account_is_stale(make, play):
    """One alert of the account stands for them, and nobody is told of them."""
    stage = play(VALUES)
    stage.tell(make.status(0, "stale"), make.event(1, -5))
    assert ["low held", "neg held"] == stage.firing()
    stage.tell(29)
    assert ["low held", "neg held"] == stage.firing()
    stage.tell(30)
    assert ["data-quality firing", "low held", "neg held"] == stage.firing()
    assert {"0", "1"} == {one.attributes["notice"] for one in stage.topic()}


def test_what_is_held_fires_once_the_figures_can_be_trusted(make, play):
    """It began when it began, not when we were sure."""
    stage = play(VALUES)
    stage.tell(make.status(0, "stale"), make.event(1, 5), make.status(20), 21)
    (alert,) = [one for one in stage.topic() if one.rule == "low"]
    assert ("firing", make.at(1)) == (alert.state, alert.started_at)


def test_what_is_held_and_mends_is_never_told(make, play):
    """A wrong figure of a stale feed is no alarm."""
    stage = play(VALUES)
    stage.tell(make.status(0, "stale"), make.event(1, 5), make.event(2, 50))
    assert ["low held"] == stage.firing()
    stage.tell(make.status(3), 4)
    (alert,) = [one for one in stage.topic() if one.rule == "low"]
    assert ("resolved", "0") == (alert.state, alert.attributes["notice"])


def test_what_fires_is_held_and_does_not_end_on_figures_in_doubt(make, play):
    """A stale feed that says all is well is not believed."""
    stage = play(VALUES)
    stage.tell(make.status(0), make.event(1, 5))
    assert ["low firing"] == stage.firing()
    stage.tell(make.status(2, "stale"), make.event(3, 50), 20)
    assert ["low held"] == stage.firing()
    stage.tell(make.status(21), 22)
    assert [] == stage.firing()


@pytest.mark.parametrize("verdict", ["UNPROVEN", "VIOLATED"])
def test_one_balance_whose_proof_does_not_stand_is_held_alone(verdict, make, play):
    """The others of the account can be trusted."""
    stage = play(VALUES)
    stage.tell(make.event(0, 5), make.event(0, 5, asset="ETH"), make.proof(1, verdict))
    states = {one.labels["asset"]: one.state for one in stage.topic()}
    assert {"BTC": "held", "ETH": "firing"} == states
    stage.tell(31)
    (quality,) = [one for one in stage.topic() if one.rule == "data-quality"]
    assert "1 of 2 watched balances cannot be trusted: kraken|main||spot/main|BTC" in (
        quality.summary
    )
    stage.tell(make.proof(40), 41)
    states = {one.labels.get("asset"): one.state for one in stage.topic()}
    assert {"BTC": "firing", "ETH": "firing", None: "firing"} == states
    stage.tell(101)
    assert ["low firing", "low firing"] == stage.firing()


def test_movements_are_told_though_the_account_is_stale(make, play):
    """That something left is a fact, whatever the balance is."""
    stage = play("rules: [{name: out, type: withdrawal}]")
    stage.tell(make.status(0, "stale"), make.moved(1, 5, -1, "withdrawal"))
    assert ["out firing"] == stage.firing()


def test_an_account_without_watched_balances_needs_no_word_on_quality(make, play):
    """There is nothing that could be held."""
    stage = play("rules: [{name: out, type: withdrawal}]")
    assert [] == stage.tell(make.status(0, "stale"), make.event(1, 5), 999)


def test_each_movement_is_told_once(make, play):
    """An event that is told twice, as backfill may, is one withdrawal."""
    stage = play("rules: [{name: out, type: withdrawal}]")
    told = make.moved(1, 5, -1, "withdrawal")
    late = make.moved(1, 5, -1, "withdrawal", kind="backfill")
    other = make.moved(2, 3, -2, "withdrawal")
    stage.tell(told, late, other, told)
    (alert,) = stage.topic()
    kept = (alert.attributes["count"], alert.value, alert.attributes["worst"])
    assert ("2", Decimal(2), "2") == kept


def test_flapping_is_one_alert(make, play):
    """It has to be over for a while before it is over."""
    stage = play("rules: [{name: low, type: balance_below, below: 10}]")
    stage.tell(*(make.event(n, 9 + 2 * (n % 2)) for n in range(100)))
    assert ["low firing"] == [f"{one.rule} {one.state}" for one in stage.records[:1]]
    assert {"1"} == {one.attributes["notice"] for one in stage.records}
    assert ["low resolved"] == stage.tell(159)


def test_a_reminder_comes_each_interval(make, play):
    """And none for what is held."""
    rules = "rules: [{name: low, type: balance_below, below: 10, repeat: 60s}]"
    stage = play(rules)
    stage.tell(make.event(0, 5))
    stage.tell(59)
    kinds = [
        (one.attributes["kind"], one.attributes["notice"]) for one in stage.records
    ]
    assert [("new", "1")] == kinds
    stage.tell(60, 125)
    kinds = [
        (one.attributes["kind"], one.attributes["notice"]) for one in stage.records
    ]
    assert [("new", "1"), ("repeat", "2"), ("repeat", "3")] == kinds


def test_the_end_says_how_long_and_how_far(make, play):
    """In one line, though the rule has words of its own."""
    stage = play(
        "rules: [{name: low, type: balance_below, below: 10, "
        "annotations: {summary: 'only ${value} left'}}]"
    )
    stage.tell(make.event(0, 5), make.event(100, 2), make.event(3723, 11), 3783)
    told = [one.summary for one in stage.records]
    assert ["only 5 left"] == told[:1]
    assert told[-1] == (
        "kraken main spot/main BTC: low is over after 1h 2m; farthest 2, limit 10"
    )


def test_rules_that_are_gone_end_their_alerts(make, play):
    """Nobody is left with an alert that nothing can end."""
    stage = play("rules: [{name: low, type: balance_below, below: 10}]")
    stage.tell(make.event(0, 5))
    after = play("rules: [{name: other, type: negative}]", before=stage.topic())
    assert ["low resolved"] == [f"{one.rule} {one.state}" for one in after.records]
    assert "the rule is gone" in after.records[0].summary


def test_a_rule_whose_limit_changed_is_judged_anew(make, play):
    """The alert goes on if it still holds, and ends if not."""
    low = "rules: [{name: low, type: balance_below, below: %s, keep_firing_for: 0s}]"
    stage = play(low % 10)
    told = make.event(0, 5)
    stage.tell(told)
    for limit, states in ((6, ["low firing"]), (4, [])):
        after = play(low % limit, before=stage.topic(), past=[told])
        after.tell(1)
        records = {one.alert_id: one for one in [*stage.topic(), *after.records]}
        lasting = [
            f"{r.rule} {r.state}" for r in records.values() if r.state == "firing"
        ]
        assert states == lasting


PROPERTY = """
routes: {log: {type: log}}
rules:
  - {name: low, type: balance_below, below: 5, clear: 6, for: 3s, keep_firing_for: 2s}
  - {name: high, type: balance_above, above: 8, keep_firing_for: 4s}
  - {name: neg, type: negative, for: 1s, keep_firing_for: 0s}
  - {name: fall, type: drop, amount: 4, window: 6s, keep_firing_for: 1s}
  - {name: big, type: movement_above, above: 3, keep_firing_for: 5s}
"""
LOOKBACK_S = 6


def stories():
    """Return lists of (seconds since the last, asset, balance)."""
    step = st.tuples(
        st.integers(0, 4), st.sampled_from(["BTC", "ETH"]), st.integers(-2, 12)
    )
    return st.lists(step, max_size=30)


def told(make, story):
    """Return the events of a story."""
    at, events, before = 0, [], {}
    for number, (wait, asset, balance) in enumerate(story):
        at += wait
        delta = Decimal(balance - before[asset]) if asset in before else None
        before[asset] = balance
        events.append(
            make.event(at, balance, asset=asset, event_id=f"n{number}", delta=delta)
        )
    return events


def kept(alert):
    """Return what has to be the same, whenever a process was restarted."""
    return (
        alert.alert_id,
        alert.state,
        alert.started_at,
        alert.resolved_at,
        alert.value,
        alert.threshold,
        alert.attributes["notice"],
        alert.attributes["count"],
    )


@settings(max_examples=60, deadline=None)
@given(story=stories(), cut=st.integers(0, 30))
def test_a_restart_anywhere_changes_no_alert(story, cut, make, play):
    """From the topic and the events of the longest time that matters, all goes on."""
    events = told(make, story)
    cut = min(cut, len(events))
    whole = play(PROPERTY)
    for event in events:
        whole.tell(event)
    before = play(PROPERTY)
    for event in events[:cut]:
        before.tell(event)
    last = events[cut - 1].received_at if cut else make.at(0)
    past = [
        event
        for event in events[:cut]
        if (last - event.received_at).total_seconds() <= LOOKBACK_S
    ]
    fresh = {event.key for event in past}
    seeds = {e.key: e for e in events[:cut] if e.key not in fresh}
    after = play(PROPERTY, before.topic(), [*seeds.values(), *past])
    for event in events[cut:]:
        after.tell(event)
    for stage in (whole, after):
        stage.tell(500)
    ends = {one.alert_id: kept(one) for one in [*before.topic(), *after.topic()]}
    assert {one.alert_id: kept(one) for one in whole.topic()} == ends


@settings(max_examples=40, deadline=None)
@given(story=stories())
def test_no_alert_without_cause_and_one_for_each_pair(story, make, play):
    """Each beginning has a balance that broke the rule; none begins twice."""
    stage = play(PROPERTY)
    lasting = set()
    last, broken = (
        {},
        {"low": lambda v: v < 6, "high": lambda v: v > 8, "neg": lambda v: v < 0},
    )
    for event in told(make, story):
        stage.tell(event)
        for alert in stage.records[-10:]:
            if alert.state == "resolved":
                lasting.discard(alert.alert_id)
        last[event.asset] = [*last.get(event.asset, []), event.balance]
    open_ = set()
    for alert in stage.records:
        if alert.state == "resolved":
            assert alert.alert_id in open_
            open_.discard(alert.alert_id)
            continue
        if alert.alert_id not in open_ and alert.rule in broken:
            assert broken[alert.rule](alert.value)
            assert alert.value in last[alert.labels["asset"]]
        open_.add(alert.alert_id)
    firing = [one.alert_id for one in stage.topic() if one.state != "resolved"]
    assert set(firing) == open_
    assert len(firing) == len(set(firing))


@settings(max_examples=40, deadline=None)
@given(story=stories(), ticks=st.lists(st.integers(0, 120), max_size=20))
def test_ticks_between_events_change_nothing(story, ticks, make, play):
    """What is decided follows from the records: a tick only says it sooner."""
    events = told(make, story)
    plain, ticked = play(PROPERTY), play(PROPERTY)
    for event in events:
        plain.tell(event)
        at = (event.received_at - make.at(0)).total_seconds()
        ticked.tell(*(tick for tick in ticks if tick <= at), event)
    for stage in (plain, ticked):
        stage.tell(500)
    one, other = (
        {alert.alert_id: kept(alert) for alert in stage.topic()}
        for stage in (plain, ticked)
    )
    assert one == other
