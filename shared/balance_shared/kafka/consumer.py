"""Reading: batches of records by partition, in order; positions kept by the caller."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
)
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError

from balance_schemas.codec import UndecodableError, decode, schema_id_of
from balance_schemas.keys import partition_of
from balance_schemas.records import Record
from balance_schemas.topics import Topic
from balance_shared.errors import BusInterrupted, RecordInvalid
from balance_shared.kafka.connection import (
    client_options,
    started,
    stopped,
    translated,
    until_reachable,
)
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

R = TypeVar("R", bound=Record)

Positions = Mapping[tuple[str, int], int]
"""(topic, partition) → offset of the next record to read."""

FETCH_BYTES_MAX = 8 * 1024 * 1024
"""Most bytes fetched ahead for one partition, by a consumer of a group."""

READ_BYTES_MAX = 1024 * 1024
"""The same by who reads something back: in memory records take many times as much."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record as it lies on the bus.

    Attributes:
        topic: full name on the broker.
        partition: its partition.
        offset: its offset there.
        key: record key, or None.
        value: framed Avro value; None is a tombstone.
        time_ms: record timestamp, milliseconds since 1970.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    time_ms: int


class Consumer:
    """Reads topics of the bus; use as an async context manager.

    Args:
        settings: where Kafka is, and the topics' prefix.
        registry: where the schemas of records come from.
        topics: what to read.
        group: consumer group that shares the partitions; None reads all of them.
        positions: called with the (topic, partition) pairs that were just assigned;
            returns where to go on. Pairs that it leaves out start at the beginning.
            It is called again after each rebalance, so positions belong where the
            results are (one transaction for both). None: always from the beginning.
        fetch_bytes_max: most bytes fetched ahead for one partition.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        topics: Iterable[Topic],
        *,
        group: str | None = None,
        positions: Callable[[list[tuple[str, int]]], Awaitable[Positions]]
        | None = None,
        fetch_bytes_max: int = FETCH_BYTES_MAX,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._fetch_bytes_max = fetch_bytes_max
        self._names = [topic.full_name(settings.topic_prefix) for topic in topics]
        self._group = group
        self._positions = positions
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        """Wait for Kafka, however long that takes."""
        await until_reachable("consumer", self._connect)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._consumer is not None:
            await stopped(self._consumer)

    async def _connect(self) -> None:
        consumer = consumer_of(
            self._settings, self._group, fetch_bytes_max=self._fetch_bytes_max
        )
        try:
            listener = _Seeker(consumer, self._seek)
            consumer.subscribe(self._names, listener=listener)
            await started(consumer)
        except BaseException:
            await stopped(consumer)
            raise
        self._consumer = consumer

    async def _seek(
        self, consumer: AIOKafkaConsumer, pairs: list[TopicPartition]
    ) -> None:
        known: Positions = {}
        if self._positions is not None:
            known = await self._positions([(tp.topic, tp.partition) for tp in pairs])
        new = [tp for tp in pairs if (tp.topic, tp.partition) not in known]
        for tp in pairs:
            if tp not in new:
                consumer.seek(tp, known[tp.topic, tp.partition])
        if new:  # in one call: while one was waited for, others would be read twice
            await consumer.seek_to_beginning(*new)

    async def batches(
        self,
        records_max: int = 5000,
        wait_s: float = 1.0,
        wanted: Callable[[], Collection[tuple[str, int]]] = tuple,
    ) -> AsyncIterator[dict[tuple[str, int], list[Incoming]]]:
        """Yield what has arrived, for ever: records by (topic, partition), in order.

        Args:
            records_max: most records of one batch.
            wait_s: an empty batch is yielded after that many seconds without records,
                so that the caller can see to other things.
            wanted: asked before each batch for the (topic, partition) pairs that it
                may have records of; none: all. The others wait where they are.

        Raises:
            BusInterrupted: Kafka failed in a way that passes.
            PublishError: Kafka refuses us for good.
        """
        consumer = self._running()
        while True:
            pairs = [TopicPartition(*place) for place in wanted()]
            with translated():
                fetched = await consumer.getmany(
                    *pairs, timeout_ms=int(wait_s * 1000), max_records=records_max
                )
            yield {
                (tp.topic, tp.partition): [incoming_of(record) for record in records]
                for tp, records in fetched.items()
            }

    async def read(self) -> Positions:
        """Return the positions of the next records to read; unknown ones left out."""
        consumer = self._running()
        found = {}
        for tp in consumer.assignment():
            if tp not in consumer.assignment():  # a rebalance took it away just now
                continue
            with suppress(IllegalStateError), translated():
                found[tp.topic, tp.partition] = await consumer.position(tp)
        return found

    async def start_over(self) -> None:
        """Ask for positions anew, as after a rebalance, and read on from there."""
        consumer = self._running()
        await self._seek(consumer, list(consumer.assignment()))

    async def lag(self) -> dict[tuple[str, int], int]:
        """Return how many records of each assigned partition are not read yet.

        Partitions of which nothing was fetched yet are left out.
        """
        consumer = self._running()
        lags = {}
        for tp in consumer.assignment():
            with suppress(IllegalStateError):  # a rebalance took it away just now
                known = tp in consumer.assignment()
                end = consumer.highwater(tp) if known else None
                if end is not None:
                    with translated():
                        position = await consumer.position(tp)
                    lags[tp.topic, tp.partition] = max(0, end - position)
        return lags

    async def seek(self, positions: Positions) -> None:
        """Read on from other positions, after a batch was not taken in.

        Partitions that a rebalance took away meanwhile are left out.
        """
        consumer = self._running()
        for (topic, partition), offset in positions.items():
            with suppress(IllegalStateError):
                consumer.seek(TopicPartition(topic, partition), offset)

    async def commit(self, positions: Positions) -> None:
        """Store the group's positions at the broker, once their results are kept.

        Raises:
            BusInterrupted: it is not taken, as the partitions went to somebody else:
                what was read since must not have effects.
        """
        if positions:
            offsets = {TopicPartition(*at): offset for at, offset in positions.items()}
            with translated():
                await self._running().commit(offsets)

    async def committed(self, places: Iterable[tuple[str, int]]) -> Positions:
        """Return the group's stored positions; places without one are left out."""
        found = {}
        for place in places:
            with translated():
                offset = await self._running().committed(TopicPartition(*place))
            if offset is not None:
                found[place] = offset
        return found

    async def end(self) -> Positions:
        """Return the positions just after the last record of each partition.

        Raises:
            BusInterrupted: Kafka does not answer.
        """
        consumer = self._running()
        with translated():
            ends = await consumer.end_offsets(list(consumer.assignment()))
        return {(tp.topic, tp.partition): offset for tp, offset in ends.items()}

    async def decode(self, record_type: type[R], incoming: Incoming) -> R:
        """Return a record decoded.

        Raises:
            RecordInvalid: it cannot be read. Dead-letter it and go on.
        """
        return await decoded(self._registry, record_type, incoming)

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("use the consumer as an async context manager")
        return self._consumer


class _Seeker(ConsumerRebalanceListener):  # type: ignore[misc]
    """Sets the positions of partitions as they are assigned."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        seek: Callable[[AIOKafkaConsumer, list[TopicPartition]], Awaitable[None]],
    ) -> None:
        self._consumer = consumer
        self._seek = seek

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing to do: results and positions are stored together."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Go on where the results end."""
        await self._seek(self._consumer, list(assigned))


LeaveOut = Callable[[Incoming, RecordInvalid], None]
"""Told of a record that is left out, and why it cannot be read."""


async def read_compacted(
    settings: ServiceSettings,
    registry: Registry,
    topic: Topic,
    account: str,
    record_type: type[R],
    leave_out: LeaveOut | None = None,
) -> dict[str, R]:
    """Return the last record of each key of one account on a compacted topic.

    Args:
        settings: where Kafka is.
        registry: where the schemas come from.
        topic: a compacted topic, such as latest.
        account: account key; only its partition is read, and only its keys kept.
        record_type: type of the topic's values.
        leave_out: told of each record that cannot be read; None: it is raised.

    Returns:
        Key → record, as of the moment of the call.

    Raises:
        RecordInvalid: a record of the account cannot be read, and is not left out.
    """
    name = topic.full_name(settings.topic_prefix)
    consumer = consumer_of(settings, None, name)
    try:
        await until_reachable("read_compacted", partial(started, consumer))
        with translated():
            count = partitions_of(consumer, name)
            tp = TopicPartition(name, partition_of(account, count))
            consumer.unsubscribe()
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end = (await consumer.end_offsets([tp]))[tp]
            values = await _last_values(consumer, tp, end, f"{account}|")
    finally:
        await stopped(consumer)
    records: dict[str, R] = {}
    for key, incoming in values.items():
        try:
            records[key] = await decoded(registry, record_type, incoming)
        except RecordInvalid as error:
            if leave_out is None:
                raise
            leave_out(incoming, error)
    return records


async def _last_values(
    consumer: AIOKafkaConsumer, tp: TopicPartition, end: int, prefix: str
) -> dict[str, Incoming]:
    values: dict[str, Incoming] = {}
    while await consumer.position(tp) < end:
        fetched = await consumer.getmany(tp, timeout_ms=500)
        for record in map(incoming_of, fetched.get(tp, ())):
            if record.key is None or not record.key.startswith(prefix):
                continue
            if record.value is None:
                values.pop(record.key, None)
            else:
                values[record.key] = record
    return values


async def decoded(registry: Registry, record_type: type[R], incoming: Incoming) -> R:
    """Return a record decoded, by the schema that it was written with.

    Raises:
        RecordInvalid: it cannot be read; the text says where it lies.
    """
    place = f"{incoming.topic}[{incoming.partition}]@{incoming.offset}"
    if incoming.value is None:
        raise RecordInvalid(f"{place}: no value")
    try:
        schema = await registry.schema(schema_id_of(incoming.value))
        return decode(record_type, incoming.value, schema)
    except UndecodableError as error:
        raise RecordInvalid(f"{place}: {error}") from error


def consumer_of(
    settings: ServiceSettings,
    group: str | None,
    *names: str,
    fetch_bytes_max: int = READ_BYTES_MAX,
) -> AIOKafkaConsumer:
    """Return a consumer that is not started yet.

    The instances of a group get the same partitions of every topic, so that all records
    of an account reach one of them.
    """
    return AIOKafkaConsumer(
        *names,
        **client_options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        partition_assignment_strategy=(RangePartitionAssignor,),
        max_partition_fetch_bytes=fetch_bytes_max,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        request_timeout_ms=30_000,
    )


def partitions_of(consumer: AIOKafkaConsumer, name: str) -> int:
    """Return how many partitions a topic has."""
    partitions = consumer.partitions_for_topic(name)
    if not partitions:
        raise BusInterrupted(
            f"no topic {name}: create it with `balancebus topics apply`"
        )
    return len(partitions)


def incoming_of(record: Any) -> Incoming:
    """Return a record of aiokafka's as ours."""
    key = None if record.key is None else record.key.decode("utf-8", "replace")
    return Incoming(
        record.topic,
        record.partition,
        record.offset,
        key,
        record.value,
        record.timestamp,
    )
