"""One record lost, twice or altered on the bus never makes a PROVEN that is wrong."""

import random

import pytest
from lives import live
from tampered import altered, outcomes, told_of

from balance_connector.venues import VENUES
from balance_schemas.topics import EVENTS
from balance_shared.testing import run_virtually

EACH = 8
"""Alterations of a life of each venue here; the program plays more."""


@pytest.mark.parametrize("name", VENUES)
def test_no_single_record_makes_a_wrong_claim(name):
    """Of events, latest, states and comparisons, by what the venue held."""
    found = outcomes(name, seed=list(VENUES).index(name), each=EACH)
    assert [] == [one for one in found if one.wrong]
    assert EACH == len(found)


def test_every_way_changes_what_is_read():
    """One record less, one more, or one figure that is another."""
    life = run_virtually(live("kraken", 0, faults=False))
    told, rng = told_of(life), random.Random(0)
    place = next(n for n, one in enumerate(told) if one.topic is EVENTS)
    for how, more in (("removed", -1), ("repeated", 1), ("altered", 0)):
        after = altered(told, how, place, rng)
        assert len(told) + more == len(after)
        assert after != told
