"""Time that jumps: waits are exact, in order and free."""

import asyncio
import time
from datetime import timedelta

import pytest

from balance_shared.testing import VirtualClock, run_virtually


def test_hours_pass_in_no_time():
    """Sleeps, time-outs and both clocks agree, and nobody waits."""

    async def main():
        clock = VirtualClock()
        started = clock.now()
        await clock.sleep(3600)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 60)
        assert timedelta(seconds=3660) == clock.now() - started
        return clock.monotonic()

    began = time.monotonic()
    assert 3660 == pytest.approx(run_virtually(main()))
    assert time.monotonic() - began < 60


def test_timers_fire_in_their_order():
    """As on any loop, only sooner."""
    fired = []

    async def sleeper(seconds):
        await asyncio.sleep(seconds)
        fired.append(seconds)

    async def main():
        await asyncio.gather(*map(sleeper, (30, 10, 20)))

    run_virtually(main())
    assert [10, 20, 30] == fired


def test_waiting_for_nothing_is_told():
    """A test that would hang for ever fails at once."""

    async def main():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer is set"):
        run_virtually(main())
