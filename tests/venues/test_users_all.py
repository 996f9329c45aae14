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


def states(world: World) -> list[str]:
    """Return the states as they were published, repetitions left out."""
    told = [status.state for status in world.statuses()]
    return [
        now for before, now in zip(["", *told], told, strict=False) if now != before
    ]
