"""Who was told of what is kept, and a stranger's word on it changes nothing."""

import msgspec

RULES = """
routes: {one: {type: log}, two: {type: log}}
rules: [{name: low, type: balance_below, below: 10, keep_firing_for: 0s}]
"""


def test_what_a_route_took_is_written(make, play):
    """The other is still to be told, after a restart too."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    alerts = stage.engine.alerts
    ((episode, *_),) = alerts.owed("one")
    alerts.told("one", episode.alert_id, episode.started_at, 1)
    alerts.told("nobody", episode.alert_id, episode.started_at, 1)
    alerts.told("two", episode.alert_id, make.at(-9), 1)
    stage.tell()
    after = play(RULES, before=stage.topic(), past=[make.event(0, 5)])
    for engine in (stage.engine, after.engine):
        assert [] == list(engine.alerts.owed("one"))
        assert [1] == [one.number for one in engine.alerts.owed("two")]


def test_an_end_that_was_not_told_is_told_after_a_restart(make, play):
    """Though the alert is over, and nothing lasts."""
    stage = play(RULES)
    stage.tell(make.event(0, 5), make.event(1, 50))
    after = play(RULES, before=stage.topic(), past=[make.event(1, 50)])
    assert ["resolved"] == [one.kind for one in after.engine.alerts.owed("one")]
    assert [] == list(after.engine.alerts.lasting())


def test_routes_that_are_gone_are_not_waited_for(make, play):
    """Rules may be changed while an alert lasts."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    fewer = RULES.replace(", two: {type: log}", "")
    after = play(fewer, before=stage.topic(), past=[make.event(0, 5)])
    (episode,) = after.engine.alerts.lasting()
    assert ["one"] == episode.untold()


def test_figures_that_change_are_written_now_and_then(make, play):
    """Not with every event: an alert is no feed."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    assert [] == stage.tell(make.event(1, 4), make.event(2, 3), 9)
    assert ["low firing"] == stage.tell(10)
    assert (
        "kraken main spot/main BTC: balance 3 is below 10" == stage.records[-1].summary
    )


def test_alerts_are_counted_by_rule(make, play):
    """For the gauge."""
    stage = play(RULES)
    stage.tell(make.event(0, 5), make.event(0, 5, asset="ETH"))
    assert {("low", "warning"): 2} == stage.engine.alerts.counts()


ALERT_ID = "low|kraken|main||spot/main|BTC"


def told(stage, route):
    """Let a route take all that it is to be told; return what that is, in order."""
    alerts, found = stage.engine.alerts, []
    while taken := list(alerts.owed(route)):
        for episode, number, kind in taken:
            episode.offered.add(route)
            alerts.told(route, episode.alert_id, episode.started_at, number)
            found.append((episode.started_at, kind))
    return found


def offered(stage, route):
    """Offer a route what it is to be told; whether it takes it is not known."""
    for owed in stage.engine.alerts.owed(route):
        owed.episode.offered.add(route)


def test_an_end_is_told_before_the_next_beginning(make, play):
    """To whom knew of the beginning; nobody is told new twice with no end between."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    assert [(make.at(0), "new")] == told(stage, "one")
    stage.tell(make.event(1, 50), make.event(2, 5))
    assert [(make.at(0), "resolved"), (make.at(2), "new")] == told(stage, "one")
    assert [(make.at(2), "new")] == told(stage, "two")
    assert [] == told(stage, "one") + told(stage, "two")


def test_a_beginning_that_is_on_its_way_has_its_end_told(make, play):
    """The route may have taken it, or takes it only after the alert has begun anew."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    offered(stage, "one")
    stage.tell(make.event(1, 50), make.event(2, 5))
    stage.engine.alerts.told("one", ALERT_ID, make.at(0), 1)
    assert [(make.at(0), "resolved"), (make.at(2), "new")] == told(stage, "one")


def test_a_new_beginning_is_not_offered_before_the_end_is_noted(make, play):
    """So a route that is away knows of one alert at most, however often it begins."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    offered(stage, "one")
    for at in range(2, 40, 2):
        stage.tell(make.event(at, 50), make.event(at + 1, 5))
        offered(stage, "one")
    assert [(make.at(0), "resolved"), (make.at(39), "new")] == told(stage, "one")
    assert [(make.at(39), "new")] == told(stage, "two")


def test_an_end_that_is_owed_survives_a_restart_with_the_next_beginning(make, play):
    """The topic keeps one record of an alert: it says all that is owed."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    told(stage, "one")
    stage.tell(make.event(1, 50), make.event(2, 5))
    after = play(RULES, before=stage.topic(), past=[make.event(2, 5)])
    assert [(make.at(0), "resolved"), (make.at(2), "new")] == told(after, "one")
    assert [(make.at(2), "new")] == told(after, "two")
    after.tell()
    last = play(RULES, before=after.topic(), past=[make.event(2, 5)])
    assert [] == told(last, "one") + told(last, "two")


def test_an_end_that_a_route_refuses_does_not_keep_the_next_beginning(make, play):
    """It is given up once the alert has begun anew; until then it is tried again."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    told(stage, "one")
    stage.tell(make.event(1, 50))
    offered(stage, "one")
    stage.engine.alerts.refused("one", ALERT_ID, make.at(0))
    assert ["resolved"] == [one.kind for one in stage.engine.alerts.owed("one")]
    stage.tell(make.event(2, 5))
    assert [(make.at(2), "new")] == told(stage, "one")
    stage.tell(make.event(3, 50), make.event(4, 5))
    offered(stage, "one")
    stage.engine.alerts.refused("one", ALERT_ID, make.at(2))
    assert [(make.at(4), "new")] == told(stage, "one")


RENAMED = RULES.replace("name: low", "name: lower")


def test_a_rule_that_is_renamed_ends_the_old_alert_and_begins_another(make, play):
    """Whoever knew of the old one is told so, once."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    told(stage, "one")
    stage.tell()
    after = play(RENAMED, before=stage.topic(), past=[make.event(0, 5)])
    assert [(make.at(0), "resolved"), (make.at(0), "new")] == told(after, "one")
    after.tell()
    last = play(RENAMED, before=after.topic(), past=[make.event(0, 5)])
    assert [] == told(last, "one")


def test_a_route_that_a_rule_has_left_is_told_the_end(make, play):
    """It knew of the beginning; a route that has come is told of the beginning."""
    stage = play(RULES.replace("below: 10", "below: 10, route: one"))
    stage.tell(make.event(0, 5))
    told(stage, "one")
    stage.tell()
    other = RULES.replace("below: 10", "below: 10, route: two")
    after = play(other, before=stage.topic(), past=[make.event(0, 5)])
    assert [[], [(make.at(0), "new")]] == [told(after, "one"), told(after, "two")]
    after.tell(make.event(1, 50))
    ends = [told(after, "one"), told(after, "two")]
    assert [[(make.at(0), "resolved")]] * 2 == ends


def test_what_begins_anew_at_once_has_an_id_of_its_own(make, play):
    """Three figures of one frame have one time; ids are told apart by milliseconds."""
    stage = play(RULES)
    stage.tell(*(make.event(0, balance) for balance in (5, 50, 5)))
    began = sorted({one.started_at for one in stage.records})
    assert [make.at(0), make.at(0.001)] == began


def restored(make, play, **noted):
    """Return a play that goes on from a record with other notes."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    (alert,) = stage.topic()
    attributes = alert.attributes | noted
    before = [msgspec.structs.replace(alert, attributes=attributes)]
    return play(RULES, before=before, past=[make.event(0, 5)])


def test_records_that_were_decided_on_before_the_start_decide_nothing(make, play):
    """The topic is ahead of the position: its alert stays until that is reached."""
    stage = restored(make, play, **{"read.events": "3"})
    for beyond, balance, states in ((1, 50, []), (2, 5, []), (3, 50, [])):
        stage.engine.take_event(make.event(beyond, balance), beyond)
        assert states == stage.tell()
    assert ["low resolved"] == stage.tell(4)


def test_events_that_arrive_late_at_a_start_change_what_is_and_no_time(make, play):
    """Time does not go back: an alert begins when its event says, and ends after."""
    stage = play(RULES)
    stage.tell(make.event(100, 50, account="other"), make.event(0, 5))
    assert [make.at(0)] == [one.started_at for one in stage.records]
    after = play(
        RULES,
        before=stage.topic(),
        past=[make.event(100, 50, account="other"), make.event(0, 5)],
    )
    after.tell(make.event(1, 50))
    (alert,) = after.topic()
    assert ("resolved", make.at(1)) == (alert.state, alert.resolved_at)
