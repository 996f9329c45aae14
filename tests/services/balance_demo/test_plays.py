"""Which trouble is made when, and how it is told."""

from itertools import islice

import pytest

from balance_demo.plays import Incident, Play, plan

GAP = Play("kraken", "gap", "gap")
OUTAGE = Play("bitfinex", "maintenance", "outage", {"seconds": 8})


@pytest.mark.parametrize(("duration_s", "lasts_s"), [(60.0, 8), (12.0, 2.0)])
def test_a_demo_plays_a_gap_and_an_outage(duration_s, lasts_s):
    """At a quarter and at half of it, the outage short enough to heal."""
    (first_s, first), (second_s, second) = plan(duration_s, (GAP, OUTAGE, GAP))
    assert (duration_s / 4, duration_s / 2) == (first_s, second_s)
    assert ({}, {"seconds": lasts_s}) == (first.arguments, second.arguments)


def test_an_endless_demo_plays_on():
    """All in turn, at even distances."""
    plays = list(islice(plan(None, (GAP, OUTAGE)), 3))
    assert [(10, GAP), (30, OUTAGE), (50, GAP)] == plays


def test_an_incident_is_followed_until_the_books_are_right(status, at):
    """The first trouble, the recovery and the comparison are told."""
    incident = Incident(GAP, at(10))
    states = [("live", 1), ("stale", 10.25), ("connecting", 10.5), ("live", 11)]
    news = [incident.take(status(state, seconds)) for state, seconds in states]
    assert [False, True, False, True] == news
    incident.right_at = at(12.5)
    assert incident.text().endswith(
        "gap at kraken: stale after 250 ms, live after 1.0 s, books right after 2.5 s"
    )


def test_an_incident_hears_of_its_venue_only(status, at):
    """Another venue's trouble is not its own."""
    incident = Incident(GAP, at(10))
    assert not incident.take(status("stale", 11, venue="bitfinex"))
    assert incident.text().endswith("gap at kraken: played")
