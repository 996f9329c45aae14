"""Bitfinex's "auth: invalid", which may be for good and may pass."""

import asyncio

from dialects import DIALECTS
from world import World, refused

from balance_connector.stream import REFUSALS_MAX

DIALECT = DIALECTS["bitfinex"]


def test_login_that_is_refused_again_and_again_is_refused(virtually):
    """Whoever has a wrong key learns so within a minute, by the state and the exit."""

    async def scenario():
        world = World(DIALECT)
        world.venue.fault("invalid_session", count=REFUSALS_MAX)
        world.start()
        await asyncio.wait({world.task}, timeout=60)
        assert "auth: invalid, 8 times in a row" in str(refused(world))
        assert "refused" == world.state

    virtually(scenario())


def test_login_that_is_refused_for_a_while_is_tried_again(virtually):
    """What passes ends nothing, and what came before a picture counts no more."""

    async def scenario():
        world = World(DIALECT)
        async with world.running():
            for _ in range(2):
                world.venue.fault("close")
                world.venue.fault("invalid_session", count=REFUSALS_MAX - 1)
                await asyncio.sleep(120)
                assert "live" == world.state
            assert world.truth() == world.books()

    virtually(scenario())
