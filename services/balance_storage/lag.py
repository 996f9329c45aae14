"""How far behind storage is, also while nothing can be stored.

A session shows its lag after each batch (`Watch`). While the database is gone there is
no session, and while it does not answer a session waits: then Kafka is asked here, by a
reader of its own, and what has come since is told against what is stored.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import structlog

from balance_schemas.topics import Topic
from balance_shared import telemetry
from balance_shared.errors import BusInterrupted
from balance_shared.kafka import Reader
from balance_shared.settings import ServiceSettings
from balance_storage import rows
from balance_storage.lines import Place

LOOK_EVERY_S = 1.0
"""How often Kafka is asked, in seconds."""

SILENT_S_MAX = 5.0
"""How long a session may show nothing before Kafka is asked here, in seconds."""

log = structlog.get_logger(__name__)


class Lag:
    """What one instance has stored, through all its sessions, and what waits.

    Args:
        settings: where Kafka is.
        topics: what is stored.
    """

    def __init__(self, settings: ServiceSettings, topics: Iterable[Topic]) -> None:
        self._settings = settings
        self._topics = list(topics)
        self._stored: dict[Place, int] = {}
        self._complete: dict[Place, float] = {}
        """Up to when nothing is missing of a partition, in seconds since 1970."""
        self._shown_at = time.monotonic()

    def assigned(self, positions: Mapping[Place, int]) -> None:
        """Note the partitions that are ours now, and how far they are stored."""
        for place in self._stored.keys() - positions.keys():
            telemetry.CONSUMER_LAG_RECORDS.remove(*_labels(place))
            telemetry.CONSUMER_LAG_SECONDS.remove(*_labels(place))
        now = time.time()
        self._complete = {place: self._complete.get(place, now) for place in positions}
        self._stored = dict(positions)

    def taken(self, batch: rows.Batch) -> None:
        """Note that a batch is stored, and show how old its last records are."""
        self.moved(rows.after(batch))
        now = time.time()
        for place in batch.keys() & self._stored.keys():
            self._complete[place] = batch[place][-1].time_ms / 1000
            self._show_seconds(place, now)

    def moved(self, positions: Mapping[Place, int]) -> None:
        """Note how far partitions are stored; those that are not ours are left out."""
        ours = positions.keys() & self._stored.keys()
        self._stored |= {place: positions[place] for place in ours}

    def shown(self, lags: Mapping[Place, int]) -> None:
        """Note that a session has shown how many records wait."""
        self._shown_at = time.monotonic()
        self._note_complete(lags)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Show the lag while no session does, as long as the context lasts."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch())
                yield
                watching.cancel()
        except BaseExceptionGroup as group:
            first = group.exceptions[0]
            raise first from first.__cause__

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._stored and self._is_silent():
                try:
                    await self._look()
                except BusInterrupted as error:
                    log.warning("lag_unknown", error=str(error))

    async def _look(self) -> None:
        """Ask and show, until a session does so again."""
        async with Reader(self._settings, self._topics) as reader:
            while self._is_silent():
                ends = await reader.ends(list(self._stored))
                self._show(ends)
                await asyncio.sleep(LOOK_EVERY_S)

    def _is_silent(self) -> bool:
        return time.monotonic() - self._shown_at > SILENT_S_MAX

    def _show(self, ends: Mapping[Place, int]) -> None:
        lags = {
            place: max(0, ends[place] - stored)
            for place, stored in self._stored.items()
            if place in ends
        }
        self._note_complete(lags)
        now = time.time()
        for place, lag in lags.items():
            telemetry.CONSUMER_LAG_RECORDS.labels(*_labels(place)).set(lag)
            if lag:
                self._show_seconds(place, now)

    def _note_complete(self, lags: Mapping[Place, int]) -> None:
        now = time.time()
        self._complete |= {place: now for place, lag in lags.items() if not lag}

    def _show_seconds(self, place: Place, now: float) -> None:
        age = max(0.0, now - self._complete[place])
        telemetry.CONSUMER_LAG_SECONDS.labels(*_labels(place)).set(age)


def _labels(place: Place) -> tuple[str, str, str]:
    topic, partition = place
    return rows.SERVICE, topic, str(partition)
