"""Who was told of what is kept, and a stranger's word on it changes nothing."""

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
