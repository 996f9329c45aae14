"""What the venue's history still owes: stretches in line, and since when. No I/O."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

from balance_connector.books import SAME_FACT
from balance_connector.venue import Stretch, Venue

MARGIN = timedelta(seconds=10)
"""How far a stretch reaches beyond its ends: clocks differ, and frames take time."""


def widened(stretch: Stretch, venue: Venue) -> Stretch:
    """Return a stretch with its margins, and what matching needs beyond its end."""
    beyond = MARGIN + SAME_FACT if venue.updates_without_ids else MARGIN
    return replace(stretch, since=stretch.since - MARGIN, until=stretch.until + beyond)


def told_until(stretch: Stretch, venue: Venue) -> datetime | None:
    """Return up to when lines of a widened stretch are told; see `Books.backfill`."""
    return stretch.until - SAME_FACT if venue.updates_without_ids else None


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
