"""What is to be looked at when, and the time that has been reached. No I/O."""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Generic, Protocol, TypeVar

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Sleeper(Protocol):
    """Something that can be woken; it is set for one time only."""

    wake: datetime | None


T = TypeVar("T", bound=Sleeper)


class Timers(Generic[T]):
    """A clock that records move, and what goes off on its way.

    Attributes:
        now: the time that has been reached, UTC; it never goes back.
    """

    def __init__(self) -> None:
        self.now = BEFORE_ALL
        self._queue: list[tuple[datetime, int, T]] = []
        self._order = count()

    def set(self, whom: T, due: datetime | None) -> None:
        """Wake somebody at a time; one that is set for earlier stays so.

        Whoever is woken too early sets its timer anew.
        """
        if due is not None and (whom.wake is None or due < whom.wake):
            whom.wake = due
            heapq.heappush(self._queue, (due, next(self._order), whom))

    def advance(self, now: datetime) -> Iterator[T]:
        """Move the clock; yields who was due on the way, each at its own time."""
        queue = self._queue
        while queue and queue[0][0] <= now:
            due, _, whom = heapq.heappop(queue)
            if whom.wake != due:
                continue  # it was set for an earlier time, which has gone off
            self.now = max(self.now, due)
            whom.wake = None
            yield whom
        self.now = max(self.now, now)
