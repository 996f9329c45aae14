"""Hours in seconds: an event loop whose time jumps to whatever happens next.

For tests of services with fakes around them: nothing that runs on this loop may wait
for the world outside, no socket and no thread. Every wait, time-out and sleep is exact,
in order and free. The same seed gives the same run.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits."""

    def __init__(self) -> None:
        self.seconds = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self.seconds


class _Selector(selectors.SelectSelector):
    """Where the loop would wait, time moves on instead."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        """Move the time on to the next timer.

        Raises:
            RuntimeError: nothing will ever happen: the test waits for something that
                no task does.
        """
        if timeout is None:
            raise RuntimeError("every task waits, and no timer is set")
        self._loop.seconds += max(0.0, timeout)
        return super().select(0)


class VirtualClock:
    """A `balance_shared.clock.Clock` that follows the virtual time of its loop.

    Args:
        start: the wall clock's time at second 0.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start

    def now(self) -> datetime:
        """Return the wall clock's time, UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the virtual seconds since the start."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
