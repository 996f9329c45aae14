"""What the venue's history still owes: stretches in line, and since when. No I/O."""

import asyncio
from collections import deque
from datetime import datetime

from balance_connector.venue import Stretch


class Stretches:
    """The stretches of one account that its stream missed, first come first served."""

    def __init__(self) -> None:
        self._line: deque[Stretch] = deque()
        self._open_since: datetime | None = None
        self._came = asyncio.Event()

    def open(self, since: datetime | None) -> None:
        """Begin a stretch whose end, a picture, is still to come; one at a time.

        Args:
            since: when the venue was last heard; None: it never was, nothing is owed.
        """
        self._open_since = since

    def close(self, stretch: Stretch) -> None:
        """Put the stretch that was open in line: its picture is in."""
        self._open_since = None
        self._line.append(stretch)
        self._came.set()

    async def first(self) -> Stretch:
        """Return the first in line, which stays there until it is told."""
        while not self._line:
            self._came.clear()
            await self._came.wait()
        return self._line[0]

    def told(self) -> None:
        """Take the first out of the line."""
        self._line.popleft()

    @property
    def owed_since(self) -> datetime | None:
        """When the earliest of them began; None where nothing is owed."""
        times = [stretch.since for stretch in self._line]
        if self._open_since is not None:
            times.append(self._open_since)
        return min(times, default=None)
