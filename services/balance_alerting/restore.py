"""What was before: an engine for each partition, made from the topics alone.

Theory of operation. The group's committed position in events says up to where all was
decided, published and committed. Alerts are on their own topic; they may have been
decided beyond that position, and say how far. To know for
how long a rule has been broken, and what a balance was within a window, the events of
the longest such time before that position are read again, and only taken note of.
Balances without an event in that time are taken from latest, if they are as old. Then
the engine begins at the position's time, and what came later is decided on as if the
process had never been away. A rebalance and new rules are starts like any other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from balance_alerting.alerts import WRITTEN_EVERY
from balance_alerting.engine import Engine
from balance_alerting.memory import Episode, Read, episode_of
from balance_alerting.rules import Drop, Ruleset
from balance_schemas.records import (
    Alert,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Reconciliation,
    Record,
)
from balance_schemas.topics import (
    ALERTS,
    EVENTS,
    LATEST,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
    Topic,
)
from balance_shared import telemetry
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Consumer, Incoming, Reader
from balance_shared.kafka.consumer import Positions, decoded
from balance_shared.registry import Registry

SERVICE = "alerting"
"""Name of this service in metrics."""

FOLLOWED = (EVENTS, RECONCILIATIONS, STATUS, PROOFS)
"""Topics that are read on for ever."""

COMMITTED = (EVENTS, RECONCILIATIONS)
"""Those of which every record counts once: the group's positions are in them."""

READ = (*FOLLOWED, ALERTS, LATEST)
"""Topics that are read at a start."""

IN_FLIGHT = timedelta(milliseconds=500)
"""How old a time has to be to count as passed: records on their way are let in."""

Place = tuple[str, int]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """Where to go on.

    Attributes:
        engines: partition → its engine.
        positions: where each place is read on.
    """

    engines: dict[int, Engine]
    positions: Positions


def lookback(ruleset: Ruleset) -> timedelta:
    """Return how long before its position events matter to some rule or alert."""
    rules = (*ruleset.rules, ruleset.data_quality_rule())
    times = [max(rule.wait, rule.keep_firing_for) for rule in rules]
    windows = [rule.window for rule in rules if isinstance(rule, Drop)]
    return max((*times, *windows, WRITTEN_EVERY))


def time_of(incoming: Incoming) -> datetime:
    """Return when a record was written, UTC."""
    return datetime.fromtimestamp(incoming.time_ms / 1000, UTC)


def take(engine: Engine, record: Record | None, incoming: Incoming) -> None:
    """Give an engine a record of a topic that is followed."""
    beyond = incoming.offset + 1
    match record:
        case BalanceEvent():
            engine.take_event(record, beyond)
        case ConnectorStatus():
            engine.take_status(record.key, record, time_of(incoming))
        case BalanceProof():
            engine.take_proof(record)
        case Reconciliation():
            engine.take_reconciliation(record, beyond)
        case None if incoming.topic.endswith(f".{STATUS.name}.v1"):
            engine.take_status(incoming.key or "", None, time_of(incoming))


async def read(registry: Registry, topic: Topic, incoming: Incoming) -> Record | None:
    """Return a record, or None for a tombstone and for what cannot be read.

    An event that cannot be read is counted and said: its balance keeps its last figure.
    """
    if incoming.value is None:
        return None
    try:
        return await decoded(registry, topic.record, incoming)
    except RecordInvalid as error:
        telemetry.RECORDS_REJECTED.labels(SERVICE, incoming.topic).inc()
        log.warning("record_invalid", error=str(error))
        return None


class Restorer:
    """Makes engines for partitions.

    Args:
        prefix: of the topics.
        ruleset: the rules.
        registry: where schemas come from.
        consumer: of the group; it knows the positions.
        now: the time, for partitions of which nothing was ever decided.
    """

    def __init__(
        self,
        prefix: str,
        ruleset: Ruleset,
        registry: Registry,
        consumer: Consumer,
        now: datetime,
    ) -> None:
        self._prefix = prefix
        self._lookback = lookback(ruleset)
        self._ruleset = ruleset
        self._registry = registry
        self._consumer = consumer
        self._now = now
        self._engines: dict[int, Engine] = {}

    async def run(self, reader: Reader, partitions: Collection[int]) -> Restored:
        """Return the engines of partitions, which have begun.

        Args:
            reader: of the topics `READ`.
            partitions: their numbers.

        Raises:
            BusInterrupted: Kafka failed in a way that passes.
        """
        self._engines = {number: Engine(self._ruleset) for number in partitions}
        positions = await self._positions(reader)
        await self._alerts(reader)
        begun = await self._times(reader, positions)
        await self._history(reader, positions, begun)
        await self._seeds(reader, positions, begun)
        for number, engine in self._engines.items():
            engine.tick(begun[number])
        for topic in (STATUS, PROOFS):
            positions |= await self._whole(reader, topic)
        for number, engine in self._engines.items():
            engine.alerts.read = self._read(positions, number)
            engine.begin(begun[number])
        return Restored(self._engines, positions)

    def _places(self, topic: Topic) -> list[Place]:
        name = topic.full_name(self._prefix)
        return [(name, number) for number in sorted(self._engines)]

    def _read(self, positions: Positions, partition: int) -> Read:
        names = (topic.full_name(self._prefix) for topic in COMMITTED)
        return Read(*(positions[name, partition] for name in names))

    async def _alerts(self, reader: Reader) -> None:
        counted = [place for topic in COMMITTED for place in self._places(topic)]
        there = await reader.ends(counted)
        places = self._places(ALERTS)
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        async for batch in reader.read(starts, ends):
            for incoming in batch:
                alert = await read(self._registry, ALERTS, incoming)
                episode = episode_of(alert) if isinstance(alert, Alert) else None
                if episode is not None:
                    self._not_beyond(episode, self._read(there, incoming.partition))
                    self._engines[incoming.partition].restore(episode)

    def _not_beyond(self, episode: Episode, there: Read) -> None:
        """See that an alert waits for no time and no record that may never come.

        The clock may have been set back, and the topics may have been made anew.
        """
        episode.updated_at = min(episode.updated_at, self._now)
        episode.read = Read(*map(min, episode.read, there))

    async def _positions(self, reader: Reader) -> dict[Place, int]:
        """Return where every record counts from: the end where nothing was decided."""
        places = [place for topic in COMMITTED for place in self._places(topic)]
        ends = await reader.ends(places)
        begun = await reader.beginnings(places)
        committed = await self._consumer.committed(places)
        positions = {}
        for place in places:
            stored = committed.get(place, ends[place])
            positions[place] = min(max(stored, begun[place]), ends[place])
            gone = positions[place] - stored
            if gone > 0:
                telemetry.RECORDS_GONE.labels(SERVICE, place[0]).inc(gone)
                log.error("records_gone", topic=place[0], records=gone)
        return positions

    async def _times(self, reader: Reader, positions: Positions) -> dict[int, datetime]:
        """Return partition → when the last event before its position was written.

        Where there is none it is the time of the first after it, else the time now.
        """
        places = self._places(EVENTS)
        begun, ends = await reader.beginnings(places), await reader.ends(places)
        starts = {place: max(begun[place], positions[place] - 1) for place in places}
        first = {place: min(starts[place] + 1, ends[place]) for place in places}
        times = {}
        async for batch in reader.read(starts, first):
            for incoming in batch:
                times[incoming.partition] = time_of(incoming)
        now = self._now - IN_FLIGHT
        return {place[1]: times.get(place[1], now) for place in places}

    async def _history(
        self, reader: Reader, positions: Positions, begun: dict[int, datetime]
    ) -> None:
        places = self._places(EVENTS)
        times = {place: begun[place[1]] - self._lookback for place in places}
        starts = await reader.since(times)
        async for batch in reader.read(starts, positions):
            for incoming in batch:
                record = await read(self._registry, EVENTS, incoming)
                take(self._engines[incoming.partition], record, incoming)

    async def _seeds(
        self, reader: Reader, positions: Positions, begun: dict[int, datetime]
    ) -> None:
        """Take balances of which no event was read, as they were at the position."""
        places = self._places(LATEST)
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        seeds: dict[int, dict[str, BalanceEvent]] = {one: {} for one in self._engines}
        async for batch in reader.read(starts, ends):
            for incoming in batch:
                record = await read(self._registry, LATEST, incoming)
                known = seeds[incoming.partition]
                if isinstance(record, BalanceEvent):
                    known[incoming.key or ""] = record
                else:
                    known.pop(incoming.key or "", None)
        await self._leave_out_what_comes(reader, positions, seeds)
        for number, known in seeds.items():
            for event in known.values():
                if event.received_at <= begun[number]:
                    self._engines[number].take_latest(event)

    async def _leave_out_what_comes(
        self,
        reader: Reader,
        positions: Positions,
        seeds: dict[int, dict[str, BalanceEvent]],
    ) -> None:
        """Drop balances that are as events from the position on will tell them.

        Times do not say it: accounts of one partition have clocks of their own.
        """
        places = self._places(EVENTS)
        starts = {place: positions[place] for place in places}
        async for batch in reader.read(starts, await reader.ends(places)):
            for incoming in batch:
                known = seeds[incoming.partition]
                if incoming.key not in known:
                    continue
                record = await read(self._registry, EVENTS, incoming)
                if isinstance(record, BalanceEvent) and record.kind != "backfill":
                    del known[record.key]

    async def _whole(self, reader: Reader, topic: Topic) -> Positions:
        """Take all of a compacted topic; returns where it ended."""
        places = self._places(topic)
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        async for batch in reader.read(starts, ends):
            for incoming in batch:
                record = await read(self._registry, topic, incoming)
                take(self._engines[incoming.partition], record, incoming)
        return ends
