"""Scenarios: read with care, played in time."""

import asyncio

import pytest

from balance_shared.testing import run_virtually
from balance_simulator.faults import Fault
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.venue import KrakenVenue
from balance_simulator.scenario import (
    ScenarioError,
    load_scenario,
    play,
    read_scenario,
    shipped,
)

TWO = """
title = "Two things"
[[steps]]
at_s = 20
fault = "gap"
arguments = { count = 2 }
[[steps]]
at_s = 10.5
operation = "deposit"
arguments = { asset = "BTC", amount = "0.5" }
"""


def test_steps_are_in_order_of_time():
    """However the file has them."""
    scenario = read_scenario(TWO)

    assert "Two things" == scenario.title
    assert [(10.5, "operation", "deposit"), (20, "fault", "gap")] == [
        (step.at_s, step.kind, step.name) for step in scenario.steps
    ]
    assert 20 == scenario.lasts_s


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[", "not TOML"),
        ("name = 1", "unknown: name"),
        ("[[steps]]\nat_s = 1", "step 1 has at_s"),
        ('[[steps]]\nat_s = 1\nfault = "gap"\noperation = "x"', "step 1 has"),
        ('[[steps]]\nfault = "gap"', "step 1: 'at_s'"),
        ('[[steps]]\nat_s = 1\nfault = "gape"', "no fault 'gape'"),
        ('[[steps]]\nat_s = 1\nfault = "gap"\narguments = { x = 1 }', "step 1"),
        ("[[steps]]\nat_s = 1\ntraffic = 5", "step 1"),
    ],
)
def test_unreadable_scenario_is_told(text, said):
    """With the step and what it has."""
    with pytest.raises(ScenarioError, match=said):
        read_scenario(text)


def test_unknown_name_lists_what_there_is():
    """Whoever misspells one sees the others."""
    with pytest.raises(ScenarioError, match=r"neither a file nor one of .*gap"):
        load_scenario("gapp")


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_can_be_read(name):
    """All have a title and steps."""
    scenario = load_scenario(name)

    assert scenario.title
    assert scenario.steps


def test_file_is_a_scenario_too(tmp_path):
    """By its path."""
    path = tmp_path / "mine.toml"
    path.write_text(TWO)

    assert "Two things" == load_scenario(str(path)).title


def test_steps_happen_at_their_time():
    """And a fault that means nothing at the venue is left out."""
    assert Fault.TORN in KrakenVenue().state.faults.meaningless
    scenario = read_scenario(f'{TWO}[[steps]]\nat_s = 30\nfault = "torn"')

    async def main():
        venue = KrakenVenue(KrakenSettings())
        before = venue.truth()["lines"]
        playing = asyncio.create_task(play(scenario, venue))
        await asyncio.sleep(15)
        lines, armed = venue.truth()["lines"], list(venue.state.faults.armed)
        await playing
        return lines - before, armed, [each.fault for each in venue.state.faults.armed]

    assert (1, [], [Fault.GAP]) == run_virtually(main())
