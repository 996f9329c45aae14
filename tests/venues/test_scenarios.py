"""Every scenario that ships, at every venue: in the end the books are right."""

import asyncio

import pytest
from world import POLL_S, World

from balance_simulator.scenario import load_scenario, play, shipped


@pytest.mark.parametrize("name", shipped())
def test_scenario_ends_well(dialect, virtually, name):
    """Whatever happened, the feed is live again and the books are the venue's."""
    scenario = load_scenario(name)

    async def main():
        async with World(dialect).running() as world:
            await world.until_live()
            await play(scenario, world.venue)
            await world.venue.traffic_finished()
            world.venue.traffic({"stop": True})
            await asyncio.sleep(scenario.lasts_s / 4 + 3 * POLL_S)
            await world.until_live(400)
            await world.until_right(4 * POLL_S)

    virtually(main())
