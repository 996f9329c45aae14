"""Several processes tell one account: the newest does, the others stand by."""

import asyncio
import random

import pytest
from dialects import DIALECTS
from replayed import judged
from world import POLL_S, World

from balance_connector.rivals import SILENT_S
from balance_shared.testing import run_virtually

SETTLED_S = SILENT_S + 20.0
"""By when whoever stood by has taken over and is live, in seconds."""


async def ended(task) -> None:
    """End a process as a signal does, and let it drain."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def started(world, feeds=None) -> asyncio.Task[None]:
    """Start one more process of the account, with feeds of its own if need be."""
    settings = world._settings
    if feeds is not None:
        world._settings = settings.model_copy(update={"feeds": feeds})
    world.start()
    world._settings = settings
    return world.task


def epochs(world) -> list[int]:
    """Return the epochs of the events that readers follow, in the order of the topic."""
    return [event.epoch for event in world.events() if event.kind != "backfill"]


@pytest.mark.parametrize("feeds", ["ws,rest", "ws", "rest"])
@pytest.mark.parametrize("name", DIALECTS)
def test_the_older_stands_by_and_takes_over(name, feeds):
    """Nothing goes out below the greatest epoch, and somebody always tells it."""

    async def story():
        dialect, rng = DIALECTS[name], random.Random(5)
        world = World(dialect, feeds=feeds)
        older = started(world)
        await world.until_live()
        newer = started(world)
        await asyncio.sleep(2 * POLL_S)
        assert not older.cancelling()  # else a signal would be taken for the second
        began, mark = epochs(world)[-1], len(world.statuses())
        for _ in range(40):
            dialect.move(world.venue, rng)
            await asyncio.sleep(1)
        await world.until_right()
        assert {began} == {status.epoch for status in world.statuses()[mark:]}
        await ended(newer)
        world.task = older
        await asyncio.sleep(SETTLED_S)
        dialect.move(world.venue, rng)
        await world.until_right()
        assert began < epochs(world)[-1] == world.statuses()[-1].epoch
        assert world.state == "live"
        assert epochs(world) == sorted(epochs(world))
        await world.stop()
        assert not judged(world).differences

    run_virtually(story())


@pytest.mark.parametrize(
    ("older", "newer"),
    [("ws", "rest"), ("rest", "ws"), ("ws,rest", "rest"), ("rest", "ws,rest")],
)
@pytest.mark.parametrize("name", DIALECTS)
def test_feeds_may_differ(name, older, newer):
    """Polls of one and a stream of the other are no two voices either."""

    async def story():
        dialect, rng = DIALECTS[name], random.Random(5)
        world = World(dialect, feeds=older)
        tasks = [started(world)]
        await world.until_live()
        tasks.append(started(world, tuple(newer.split(","))))
        await asyncio.sleep(2 * POLL_S)
        began, mark = epochs(world)[-1], len(world.events())
        for _ in range(40):
            dialect.move(world.venue, rng)
            await asyncio.sleep(1)
        await asyncio.sleep(2 * POLL_S)
        feed = newer.split(",", maxsplit=1)[0]
        told = [one for one in world.events()[mark:] if one.kind != "backfill"]
        assert {(began, feed)} == {(event.epoch, event.feed) for event in told}
        for task in tasks:
            await ended(task)

    run_virtually(story())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", DIALECTS)
def test_processes_come_and_go(name, seed):
    """While one of them lives the account is told, by it alone, and rightly."""

    async def story():
        dialect, rng = DIALECTS[name], random.Random(seed)
        world = World(dialect, seed=seed)
        alive = [started(world)]
        for _ in range(12):
            match rng.choice(["start", "end", "move", "close"]):
                case "start":
                    alive.append(started(world))
                case "end" if len(alive) > 1:
                    await ended(alive.pop(rng.randrange(len(alive))))
                case "close":
                    world.venue.fault("close")
                case _:
                    dialect.move(world.venue, rng)
            world.task = alive[-1]
            await asyncio.sleep(rng.choice([0.01, 0.1, 3, 20]))
        await asyncio.sleep(SETTLED_S)
        await world.until_live()
        await world.until_right()
        mark = len(world.statuses())
        await asyncio.sleep(SETTLED_S)
        told = world.statuses()[mark:]
        assert {(status.state, status.epoch) for status in told} == {
            ("live", max(epochs(world)))
        }
        assert epochs(world) == sorted(epochs(world))
        for task in alive:
            await ended(task)
        assert not judged(world).differences

    run_virtually(story())
