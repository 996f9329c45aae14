"""A clock that moves only when told."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """A `balance_shared.clock.Clock` for tests.

    Args:
        now: the wall clock's first time.
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the time as last moved."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds moved so far."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved that far; 0 lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._seconds + seconds, wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking each sleeper at its own time; all get to run."""
        target = self._seconds + seconds
        await settle()
        while due := [at for at, wake in self._sleepers if not wake.done()]:
            at = min(due)
            if at > target:
                break
            self._move(at)
            await settle()
        self._move(target)
        await settle()

    @property
    def sleeping(self) -> bool:
        """Whether anyone waits for the clock."""
        return any(not wake.done() for _, wake in self._sleepers)

    def _move(self, at: float) -> None:
        self._now += timedelta(seconds=at - self._seconds)
        self._seconds = at
        for due, wake in self._sleepers:
            if due <= at and not wake.done():
                wake.set_result(None)
        self._sleepers = [
            (due, wake) for due, wake in self._sleepers if not wake.done()
        ]


async def settle(turns: int = 50) -> None:
    """Let every task that can run do so, without waiting for time."""
    for _ in range(turns):
        await asyncio.sleep(0)
