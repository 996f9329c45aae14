"""One random hour of one venue: traffic, faults, restarts; all from a seed.

Run as a program for many seeds: ``python tests/venues/hours.py SEEDS [FIRST]``.
"""

import asyncio
import logging
import random
import sys
from collections import Counter as CountOf
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parent))  # for dialects, world

from dialects import DIALECTS
from replayed import judged, outcome
from rich.progress import track
from world import POLL_S, World

from balance_shared.testing import run_virtually
from balance_simulator.faults import FaultError

HOUR_S = 3600.0

FAULTS: tuple[tuple[str, dict[str, object]], ...] = (
    *[("gap", {"count": count}) for count in (1, 2, 3, 5, 8, 13)],
    ("duplicate", {}),
    ("reorder", {"count": 1}),
    ("truncate", {"count": 1}),
    ("silence", {"seconds": 3, "lose": False}),
    ("silence", {"seconds": 90, "lose": True}),
    ("half_open", {}),
    ("close", {}),
    ("close", {"abort": True}),
    ("restart", {}),
    ("refuse_connections", {"seconds": 30}),
    ("slow_snapshot", {"seconds": 5}),
    ("slow_snapshot", {"seconds": 60}),
    ("invalid_session", {}),
    ("lapse", {}),
    ("mute", {"seconds": 90}),
    ("unanswered", {}),
    ("answer_lost", {}),
    ("answer_late", {"seconds": 8}),
    ("html", {"count": 3}),
    ("nonce", {"count": 2}),
    ("throttle", {}),
    ("rate_limit", {"count": 2}),
    ("error", {"count": 2}),
    ("delay", {"seconds": 4}),
    ("delay", {"seconds": 30}),
    ("raw", {"text": "{"}),
    ("raw", {"text": "<html>", "to": "rest"}),
    ("maintenance", {"seconds": 20}),
    ("figure", {"text": "NaN", "to": "update"}),
    ("figure", {"text": "0.1234567890123456789", "to": "snapshot"}),
    ("figure", {"text": "1e40", "to": "rest"}),
    ("torn", {}),
)
"""What may happen; a venue refuses what has no meaning there."""


async def hour(name: str, seed: int) -> None:
    """Live through an hour; at rest, live has to mean right, and in the end it does.

    Afterwards the frames that were kept make the same events again.

    Raises:
        AssertionError: the status said live and the books were not the venue's, or the
            frames make other events.
    """
    rng = random.Random(seed)
    dialect = DIALECTS[name]
    world = World(dialect, seed=seed, feeds=rng.choice(["ws,rest", "ws,rest", "rest"]))
    until_s = HOUR_S
    acts: list[Callable[[], Awaitable[None]]] = [
        lambda: _traffic(world, rng),
        lambda: _traffic(world, rng),
        lambda: _fault(world, rng),
        lambda: _rest(world),
    ]
    world.start()
    try:
        while world.clock.monotonic() < until_s:
            await rng.choice(acts)()
            if rng.random() < 0.03:
                await world.stop()
                await asyncio.sleep(rng.expovariate(1 / 20))
                world.start()
        world.venue.fault("clear")
        await asyncio.sleep(90)
        await world.until_live(300)
        await world.until(world.is_right, "the venue's books", 5 * POLL_S)
        await _all_told(world)
    finally:
        await world.stop()
    assert not (untold := _untold(world)), f"not told once: {untold[:3]}"
    equal, unjudged, differences = outcome(judged(world))
    assert not differences, f"replayed otherwise: {differences[:3]}"
    assert (len(world.events()), {}) == (equal, unjudged), "not all can be replayed"


async def _traffic(world: World, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        world.dialect.move(world.venue, rng)
        await asyncio.sleep(rng.expovariate(2))


async def _fault(world: World, rng: random.Random) -> None:
    """Play a fault, mostly while balances move."""
    fault, arguments = rng.choice(FAULTS)
    try:
        world.venue.fault(fault, **arguments)
    except FaultError:
        return
    if rng.random() < 0.7:
        await _traffic(world, rng)


async def _rest(world: World) -> None:
    """Wait until whatever is wrong must have been seen, and look."""
    await asyncio.sleep(world.dialect.silence_s + 3 * POLL_S + 30)
    assert not world.task.done(), world.task.exception()
    if world.state == "live":
        assert world.is_right(), f"live and wrong: {world.wrong()}; {world.told()}"


async def _all_told(world: World) -> None:
    """Wait until a last picture has told the history of all before it."""
    world.venue.fault("close")
    await asyncio.sleep(10)
    await world.until_live(300)
    told = lambda: world.statuses()[-1].backfill_since is None  # noqa: E731
    await world.until(told, "told late", 1800)


def _untold(world: World) -> list[tuple[object, int, int]]:
    """Return the lines of the ledger since the first picture that were not told once.

    Each with how often it is in the ledger and how often it was told.
    """
    dialect = world.dialect
    if dialect.lines is None or dialect.tells is None or world.is_polled:
        return []
    first = world.events("snapshot")[0].epoch
    pictured = max(e.received_at for e in world.events("snapshot") if e.epoch == first)
    since = pictured.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = CountOf(name for at, name in dialect.lines(world.venue) if at > since)
    told = CountOf(dialect.tells(world.events()))
    return [(name, n, told[name]) for name, n in lines.items() if told[name] != n]


def run(name: str, seed: int) -> str | None:
    """Return why a seed failed, or None."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    try:
        run_virtually(hour(name, seed))
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is told
        return f"{name} {seed}: {_root(error)!r}"[:2000]
    return None


def _root(error: BaseException) -> BaseException:
    """Return the first error inside of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main() -> None:
    """Run many seeds on all cores, each venue in its turn."""
    count, first = int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0])
    names = list(DIALECTS)
    with ProcessPoolExecutor() as pool:
        runs = [
            pool.submit(run, names[seed % len(names)], seed)
            for seed in range(first, first + count)
        ]
        failures = [
            why
            for each in track(runs, description="hours")
            if (why := each.result()) is not None
        ]
    for why in failures:
        print(why)
    print(f"{count - len(failures)} passed, {len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
