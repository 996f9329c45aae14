"""A clock that moves only when told, and wakes each sleeper at its own time."""

import asyncio
from datetime import timedelta

from balance_shared.testing import ManualClock


async def test_sleepers_wake_in_order_at_their_times():
    """Whoever sleeps again on the way is woken again on the way."""
    clock, woken = ManualClock(), []
    start = clock.now()

    async def sleeper(name, *naps):
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic()))

    tasks = [
        asyncio.create_task(sleeper("long", 5)),
        asyncio.create_task(sleeper("short", 1, 2, 3)),
    ]
    await clock.advance(4.5)
    assert [("short", 1), ("short", 3)] == woken
    assert clock.sleeping
    assert timedelta(seconds=4.5) == clock.now() - start
    await clock.advance(1.5)
    assert [("long", 5), ("short", 6)] == woken[2:]
    assert not clock.sleeping
    assert clock.monotonic() == 6
    await asyncio.gather(*tasks)


async def test_no_time_lets_others_run():
    """Sleeping 0 seconds does not wait for the clock."""
    clock = ManualClock()
    await clock.sleep(0)
    assert not clock.sleeping


async def test_sleeper_that_gave_up_is_forgotten():
    """Cancelled sleepers hold nothing up."""
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.advance(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not clock.sleeping
    await clock.advance(10)
    assert clock.monotonic() == 11
