"""Running steps at a rate: common to all venues' background traffic."""

import asyncio
import time
from collections.abc import Callable

Clock = Callable[[], int]
_TICK_S = 0.005
_BURST = 256
_ENDLESS = 1 << 60


def venue_clock() -> int:
    """Return the time now in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Pace:
    """Background traffic of one venue.

    Attributes:
        done: items produced since the last start.
        wanted: items asked for, None without end.
        rate: items a second, 0 for as fast as possible.
    """

    def __init__(self) -> None:
        self.done = 0
        self.wanted: int | None = None
        self.rate = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether traffic is being produced."""
        return self._task is not None and not self._task.done()

    def start(
        self,
        produce: Callable[[int], int],
        rate: float,
        count: int | None,
        crowded: Callable[[], bool],
    ) -> None:
        """Start traffic in the running event loop, in place of any that runs.

        Args:
            produce: called with the number of items still wanted in all; makes one or
                a few of them and returns how many.
            rate: items a second, 0 for as fast as possible.
            count: items in all, or None without end.
            crowded: tells whether to wait for slow readers first.
        """
        self.stop()
        self.done, self.wanted, self.rate = 0, count, rate
        self._task = asyncio.create_task(self._run(produce, crowded))

    def stop(self) -> None:
        """Stop traffic, if there is any."""
        if self._task:
            self._task.cancel()
        self._task = None

    async def finished(self) -> None:
        """Wait until the traffic asked for has been produced."""
        if self._task:
            await self._task

    async def _run(
        self, produce: Callable[[int], int], crowded: Callable[[], bool]
    ) -> None:
        # The loop's own time, so that a loop with a virtual one drives this too.
        loop = asyncio.get_running_loop()
        started = loop.time()
        while self.wanted is None or self.done < self.wanted:
            elapsed_s = loop.time() - started
            due = self._due(elapsed_s)
            if due <= 0 or crowded():
                await asyncio.sleep(self._wait_s(elapsed_s) if due <= 0 else _TICK_S)
                continue
            burst_end = self.done + min(due, _BURST)
            while self.done < burst_end:
                self.done += produce(self._left())
            await asyncio.sleep(0)

    def _due(self, elapsed_s: float) -> int:
        if not self.rate:
            return self._left()
        return min(int(elapsed_s * self.rate) - self.done, self._left())

    def _wait_s(self, elapsed_s: float) -> float:
        """Return the time until the next item is due, at least a tick."""
        return max((self.done + 1) / self.rate - elapsed_s, _TICK_S)

    def _left(self) -> int:
        return _ENDLESS if self.wanted is None else self.wanted - self.done
