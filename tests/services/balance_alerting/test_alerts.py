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
    (episode,) = alerts.untold("one")
    alerts.told("one", episode.alert_id, episode.started_at, 1)
    alerts.told("nobody", episode.alert_id, episode.started_at, 1)
    alerts.told("two", episode.alert_id, make.at(-9), 1)
    stage.tell()
    after = play(RULES, before=stage.topic(), past=[make.event(0, 5)])
    for engine in (stage.engine, after.engine):
        assert [] == list(engine.alerts.untold("one"))
        assert [1] == [one.notice for one in engine.alerts.untold("two")]


def test_an_end_that_was_not_told_is_told_after_a_restart(make, play):
    """Though the alert is over, and nothing lasts."""
    stage = play(RULES)
    stage.tell(make.event(0, 5), make.event(1, 50))
    after = play(RULES, before=stage.topic())
    assert ["resolved"] == [one.state for one in after.engine.alerts.untold("one")]
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


def told(stage, route):
    """Let a route take all that it is to be told; return what that is, in order."""
    alerts = stage.engine.alerts
    taken = [
        (one.alert_id, one.started_at, one.notice, one.kind_for(route))
        for one in alerts.untold(route)
    ]
    for *notice, _ in taken:
        alerts.told(route, *notice)
    return [(at, kind) for _, at, _, kind in taken]


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
    """The route takes it only after the alert has begun anew."""
    stage = play(RULES)
    stage.tell(make.event(0, 5), make.event(1, 50), make.event(2, 5))
    alert_id = "low|kraken|main||spot/main|BTC"
    stage.engine.alerts.told("one", alert_id, make.at(0), 1)
    assert [(make.at(0), "resolved"), (make.at(2), "new")] == told(stage, "one")


def test_an_end_is_not_told_after_the_next_beginning(make, play):
    """It would be taken for the end of that; and the topic keeps the last alert."""
    stage = play(RULES)
    stage.tell(make.event(0, 5))
    told(stage, "one")
    stage.tell(make.event(1, 50), make.event(2, 5))
    alerts = stage.engine.alerts
    alerts.told("one", "low|kraken|main||spot/main|BTC", make.at(2), 1)
    assert [] == told(stage, "one")
    stage.tell()
    assert [make.at(2)] == [one.started_at for one in stage.topic()]
    stage.tell(make.event(3, 50), make.event(4, 5), make.event(5, 50))
    assert [(make.at(2), "resolved"), (make.at(4), "resolved")] == told(stage, "one")
    for at in range(6, 40, 2):
        stage.tell(make.event(at, 5), make.event(at + 1, 50))
    assert [(make.at(38), "resolved")] == told(stage, "one")
    stage.tell()
    assert [make.at(38)] == [one.started_at for one in stage.topic()]
