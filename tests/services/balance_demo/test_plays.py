"""Which trouble is made when, and how it is told."""

from itertools import islice

from balance_demo.plays import Incident, gap, plan


def test_a_short_demo_plays_a_gap_and_a_close():
    """They come at a third and at two thirds."""
    assert [(4.0, "gap"), (8.0, "close")] == [
        (play.at_s, play.fault) for play in plan(12.0)
    ]


def test_a_long_demo_plays_a_silence():
    """There is time for one: it is noticed after five seconds only."""
    assert ["gap", "silence"] == [play.fault for play in plan(60.0)]


def test_an_endless_demo_plays_on():
    """All kinds in turn, at even distances."""
    plays = list(islice(plan(None), 4))
    assert ["gap", "close", "silence", "gap"] == [play.fault for play in plays]
    assert [10, 30, 50, 70] == [play.at_s for play in plays]


def test_an_incident_is_followed_until_the_feed_is_live(status, at):
    """Stale, on its way, live: the first trouble and the recovery are told."""
    incident = Incident(gap(1), "kraken", at(10))
    states = [("live", 1), ("stale", 10.25), ("connecting", 10.5), ("live", 11)]
    news = [incident.take(status(state, seconds)) for state, seconds in states]
    assert [False, True, False, True] == news
    assert incident.text().endswith(
        "gap at kraken: stale after 250 ms, live after 1.0 s"
    )


def test_an_incident_hears_of_its_venue_only(status, at):
    """Another venue's trouble is not its own."""
    incident = Incident(gap(1), "kraken", at(10))
    assert not incident.take(status("stale", 11, venue="bitfinex"))
    assert incident.text().endswith("gap at kraken: played")
