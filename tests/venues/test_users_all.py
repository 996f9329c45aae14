"""Kraken's updates of all subaccounts, which no answer of REST can be compared with."""

import asyncio

from dialects import DIALECTS
from world import POLL_S, World


def test_updates_of_all_subaccounts_are_not_disputed_by_polls(virtually):
    """REST tells one account, without its name: it proves nothing of the others."""
    dialect = DIALECTS["kraken"]

    async def scenario():
        world = World(dialect, settings={"kraken_users_all": True})
        async with world.running():
            await world.until_live()
            for _ in range(3):
                dialect.credit(world.venue, "0.25")
                await asyncio.sleep(2 * POLL_S)
            assert ["connecting", "syncing", "live"] == states(world)
            assert len(world.events("update")) == 3
            assert [] == world.reconciliations() == world.statuses("rest")

    virtually(scenario())


def test_break_leaves_what_was_missed_unknown(virtually):
    """No picture and no history tells it, and a new connection would not either."""
    dialect = DIALECTS["kraken"]

    async def scenario():
        world = World(dialect, settings={"kraken_users_all": True})
        async with world.running():
            await world.until_live()
            dialect.credit(world.venue, "0.25")
            await asyncio.sleep(1)
            world.venue.fault("close")
            await asyncio.sleep(900)
            told = states(world)
            assert "degraded" == told[-1]
            assert 2 == told.count("connecting")
            assert "what was missed is not known" in world.statuses()[-1].reason

    virtually(scenario())


def states(world: World) -> list[str]:
    """Return the states as they were published, repetitions left out."""
    told = [status.state for status in world.statuses()]
    return [
        now for before, now in zip(["", *told], told, strict=False) if now != before
    ]
