"""The machine's clock keeps the promises of `Clock`."""

from datetime import UTC, datetime, timedelta

from balance_shared.clock import SystemClock


async def test_system_clock_tells_the_time_and_waits():
    """Its times are aware and in UTC, and its seconds never step back."""
    clock = SystemClock()
    assert timedelta(0) == clock.now().utcoffset()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    before = clock.monotonic()
    await clock.sleep(0.001)
    assert clock.monotonic() - before >= 0.001
