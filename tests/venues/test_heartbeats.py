"""Venues that show no heartbeat: dead where it is promised, silent where it is not."""

import asyncio

import pytest
from dialects import DIALECTS
from world import World

from balance_connector.venues import VENUES

PROMISING = [name for name in DIALECTS if VENUES[name].heartbeats_promised]
SILENT = [name for name in DIALECTS if name not in PROMISING]


def mute(name: str) -> World:
    """Return the world of a venue that tells balances and nothing else."""
    world = World(DIALECTS[name], feeds="ws")
    world.venue.fault("mute", seconds=3600)
    return world


@pytest.mark.parametrize("name", SILENT)
def test_heartbeats_that_nobody_promised_are_not_missed(virtually, rng, name):
    """A socket that answers pings of its own is there; one that does not is left."""
    dialect = DIALECTS[name]

    async def scenario():
        async with mute(name).running() as world:
            await world.until_live()
            for _ in range(10):
                dialect.move(world.venue, rng)
                await asyncio.sleep(60)
                assert "live" == world.state
                assert 1 == len({status.epoch for status in world.statuses()} - {0})
            await world.until_right()
            mark = len(world.statuses())
            world.venue.fault("half_open")
            took = await world.until_state("stale", mark=mark)
            assert took <= 2 * dialect.heartbeat_s

    virtually(scenario())


@pytest.mark.parametrize("name", PROMISING)
def test_heartbeats_that_are_promised_are_missed_from_the_first_on(virtually, name):
    """A socket that answers pings of its own shows nothing of the subscription."""
    dialect = DIALECTS[name]

    async def scenario():
        async with mute(name).running() as world:
            await world.until_live()
            await asyncio.sleep(5)  # answers to what is asked after the picture
            took = await world.until_state("stale", mark=0)
            assert took <= 2 * dialect.heartbeat_s

    virtually(scenario())


def test_heartbeats_that_came_are_missed(dialect, virtually):
    """On this connection, and on the next one from its beginning."""

    async def scenario():
        async with World(dialect, feeds="ws").running() as world:
            await world.until_live()
            await asyncio.sleep(2 * dialect.heartbeat_s)
            world.venue.fault("mute", seconds=3600)
            took = await world.until_state("stale", mark=len(world.statuses()))
            assert took <= 2 * dialect.heartbeat_s
            await world.until_live(2 * dialect.silence_s)
            mark = len(world.statuses())
            await world.until_state("stale", mark=mark, seconds=dialect.silence_s)

    virtually(scenario())
