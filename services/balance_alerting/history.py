"""The topics of a time, read in the order in which they were written, for `backtest`.

Theory of operation. Each topic is read by a reader of its own, and what they say is
merged by time: an event counts when it arrived, all else when it was written. Kafka
numbers records without gaps, and compaction leaves a gap where it took one away: so a
topic is whole since the first record after its last gap. Before `start` only the last
state of each feed matters; of proofs all do, as they say since when one did not stand.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from balance_alerting.backtest import (
    COMPARED_BEFORE,
    Backtest,
    LateBacktest,
    Outcome,
    outcomes,
    past,
)
from balance_alerting.memory import Episode
from balance_alerting.restore import FOLLOWED, Place, time_of
from balance_alerting.rules import Ruleset
from balance_schemas.records import Alert, BalanceEvent, Record
from balance_schemas.topics import (
    ALERTS,
    EVENTS,
    LATEST,
    RECONCILIATIONS,
    STATUS,
    Topic,
)
from balance_shared.kafka import Incoming, Reader, answering
from balance_shared.kafka.consumer import decoded
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

PATIENCE_S = 30.0
"""How long Kafka may take to answer at the start, in seconds."""


@dataclass(slots=True)
class Gaps:
    """Since when the records of some places are whole.

    Attributes:
        whole: topic that has lost records → time of the first after its last gap.
    """

    whole: dict[Topic, datetime] = field(default_factory=dict)
    _next: dict[Place, int] = field(default_factory=dict)

    def begin(self, place: Place, start: int, beginning: int) -> None:
        """Note where a place is read from, and where what it holds begins."""
        self._next[place] = 0 if start <= beginning else start

    def take(self, topic: Topic, incoming: Incoming) -> None:
        """Take the records of a place in their order."""
        place = incoming.topic, incoming.partition
        if incoming.offset != self._next[place]:
            self.lost(topic, time_of(incoming))
        self._next[place] = incoming.offset + 1

    def lost(self, topic: Topic, until: datetime) -> None:
        """Note that records of before a time are gone."""
        self.whole[topic] = max(self.whole.get(topic, until), until)


class Told(NamedTuple):
    """A record, None for a tombstone, and when it counts."""

    at: datetime
    record: Record | None
    incoming: Incoming


async def play_topics(
    settings: ServiceSettings, ruleset: Ruleset, start: datetime, end: datetime
) -> tuple[list[Outcome], dict[Topic, datetime]]:
    """Play the records of the bus.

    Returns:
        The outcomes, and since when those topics are whole that have lost records.

    Raises:
        BusInterrupted: Kafka or the registry fails in a way that passes.
        RecordInvalid: a record cannot be read, so nothing can be said.
    """
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(
            Registry(settings.schema_registry_url, 10)
        )
        async with answering(settings, PATIENCE_S):
            readers = {
                topic: await stack.enter_async_context(Reader(settings, [topic]))
                for topic in (*FOLLOWED, LATEST, ALERTS)
            }
        topics = _Topics(registry, readers, (start, end), past(ruleset))
        would: list[Episode] = []
        late = LateBacktest(ruleset, start, end)
        for _, partition in readers[EVENTS].places(EVENTS):
            latest = await topics.latest(partition)
            backtest = Backtest(ruleset, start, end, latest)
            async for told in topics.merged(partition):
                backtest.take(told.at, told.record, told.incoming)
                if isinstance(told.record, BalanceEvent):
                    late.take(told.record)
            would += backtest.finish()
        would += late.finish()
        was = [alert async for alert in topics.alerts()]
    whole = topics.gaps.whole
    return outcomes(would, was, ruleset, (start, end), whole), whole


class _Topics:
    """Reads the topics, a partition at a time.

    Args:
        registry: where schemas come from.
        readers: one for each topic.
        times: from when on alerts count, and up to when, UTC.
        before: how long before that events matter.
    """

    def __init__(
        self,
        registry: Registry,
        readers: dict[Topic, Reader],
        times: tuple[datetime, datetime],
        before: timedelta,
    ) -> None:
        self._registry = registry
        self._readers = readers
        self._start, self._end = start, _ = times
        self._since = {EVENTS: start - before, RECONCILIATIONS: start - COMPARED_BEFORE}
        self.gaps = Gaps()

    async def latest(self, partition: int) -> list[BalanceEvent]:
        """Return the current balance of each key."""
        found: dict[str, Record | None] = {}
        async for incoming in self._read(LATEST, partition):
            found[incoming.key or ""] = await self._decoded(LATEST, incoming)
        return [one for one in found.values() if isinstance(one, BalanceEvent)]

    async def alerts(self) -> AsyncIterator[Alert]:
        """Yield all that is on the alerts topic, in its order."""
        for _, partition in self._readers[ALERTS].places(ALERTS):
            async for incoming in self._read(ALERTS, partition):
                alert = await self._decoded(ALERTS, incoming)
                if isinstance(alert, Alert):
                    yield alert

    async def merged(self, partition: int) -> AsyncIterator[Told]:
        """Yield what the service would have read, in the order of time."""
        streams = [self._told(topic, partition) for topic in FOLLOWED]
        heads = [await anext(stream, None) for stream in streams]
        while known := [one for one in heads if one is not None]:
            first = min(known, key=lambda one: one.at)
            number = next(n for n, one in enumerate(heads) if one is first)
            yield first
            heads[number] = await anext(streams[number], None)

    async def _told(self, topic: Topic, partition: int) -> AsyncIterator[Told]:
        at = datetime.min.replace(tzinfo=self._start.tzinfo)
        records = self._read(topic, partition)
        async for incoming in self._last(records) if topic is STATUS else records:
            record = await self._decoded(topic, incoming)
            event = record if isinstance(record, BalanceEvent) else None
            when = event.received_at if event else time_of(incoming)
            at = max(at, when)  # never before what lies before it
            yield Told(at, record, incoming)

    async def _last(self, records: AsyncIterator[Incoming]) -> AsyncIterator[Incoming]:
        """Yield the last record of each key from before the start, then the others."""
        before: dict[str, Incoming] = {}
        async for incoming in records:
            if time_of(incoming) < self._start:
                before.pop(incoming.key or "", None)
                before[incoming.key or ""] = incoming
                continue
            for one in before.values():
                yield one
            before.clear()
            yield incoming
        for one in before.values():
            yield one

    async def _read(self, topic: Topic, partition: int) -> AsyncIterator[Incoming]:
        reader = self._readers[topic]
        place = reader.places(topic)[partition]
        starts = beginnings = await reader.beginnings([place])
        if topic in self._since:
            starts = await reader.since({place: self._since[topic]})
        ends = await reader.ends([place])
        if 0 < beginnings[place] == ends[place]:
            self.gaps.lost(topic, self._end)
        if place not in starts:
            return
        self.gaps.begin(place, starts[place], beginnings[place])
        async for batch in reader.read(starts, ends):
            for incoming in batch:
                if topic is not LATEST:
                    self.gaps.take(topic, incoming)
                yield incoming

    async def _decoded(self, topic: Topic, incoming: Incoming) -> Record | None:
        if incoming.value is None:
            return None
        return await decoded(self._registry, topic.record, incoming)
