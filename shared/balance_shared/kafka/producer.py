"""Publishing: whole batches, in order, idempotent, acknowledged by all replicas.

One call of `Producer.publish` hands over any number of records and returns when the
last is acknowledged. Callers make one call at a time, so that a record is never
overtaken by a later one; what gathers meanwhile goes with the next call, which keeps
both latency (about one round trip) and throughput (large batches).

aiokafka retries inside, for as long as it takes and without duplicates. `publish`
therefore raises only for what a retry does not mend.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaProducer

from balance_schemas.codec import encode_body, frame, schema_text
from balance_schemas.keys import partition_of
from balance_schemas.topics import Topic
from balance_shared.errors import PublishError
from balance_shared.kafka.connection import (
    client_options,
    started,
    stopped,
    translated,
    until_reachable,
)
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

BATCH_BYTES_MAX = 1_000_000
"""Largest batch, below the broker's limit of 1,048,588 bytes for a batch."""


class Outgoing(msgspec.Struct, frozen=True):
    """One record on its way.

    Attributes:
        topic: where it goes.
        account: account key; decides the partition.
        key: record key, or None.
        body: Avro body, as `encode_body` makes it.
        time_ms: record timestamp, milliseconds since 1970; about now. With one that
            is over a day old a broker that restarts forgets the producer, and may
            take a batch twice; one that is older than the topic keeps is deleted
            before anybody may have read it.
    """

    topic: Topic
    account: str
    key: str | None
    body: bytes
    time_ms: int


def outgoing(topic: Topic, account: str, record: Any, time_ms: int) -> Outgoing:
    """Return a record ready to go; see `Outgoing` for the arguments."""
    return Outgoing(topic, account, record.key, encode_body(record), time_ms)


class Producer:
    """The bus to write to; use as an async context manager.

    Args:
        settings: where Kafka is, and the topics' prefix.
        registry: where schemas are registered at the start.
        topics: the topics that will be written.
    """

    def __init__(
        self, settings: ServiceSettings, registry: Registry, topics: Iterable[Topic]
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._topics = tuple(topics)
        self._headers: dict[str, bytes] = {}
        self._partitions: dict[str, int] = {}
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Wait for registry and Kafka, however long that takes."""
        for topic in self._topics:
            schema_id = await self._registry.register(
                topic.subject(self._settings.topic_prefix),
                schema_text(topic.record.__name__),
            )
            self._headers[topic.name] = frame(schema_id, b"")
        await self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()

    async def restart(self) -> None:
        """Give up what is in flight and start afresh, after `BusInterrupted`."""
        await self._stop()
        await self._start()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Write records and return when every one is acknowledged.

        Args:
            records: in the order in which readers of each topic shall see them.

        Raises:
            BusInterrupted: some may be written and some not; `restart`, then publish
                the truth anew (a picture).
            PublishError: the bus will not take them (no permission, too large).
        """
        if self._producer is None:
            raise RuntimeError("use the producer as an async context manager")
        batches = self._batches(self._producer, records)
        with translated():
            futures = [
                await self._producer.send_batch(batch, topic, partition=partition)
                for topic, partition, batch in batches
            ]
            for done in await asyncio.gather(*futures, return_exceptions=True):
                if isinstance(done, BaseException):
                    raise done

    def _batches(
        self, producer: AIOKafkaProducer, records: Sequence[Outgoing]
    ) -> list[tuple[str, int, Any]]:
        """Pack records into batches by topic and partition, order kept in each."""
        full: list[tuple[str, int, Any]] = []
        open_: dict[tuple[str, str], tuple[str, int, Any]] = {}
        for record in records:
            topic = record.topic.name
            place = topic, record.account
            key = None if record.key is None else record.key.encode()
            value = self._headers[topic] + record.body
            entry = open_.get(place)
            if entry is None or not _append(entry, record.time_ms, key, value):
                entry = (*self._address(*place), producer.create_batch())
                if len(value) > BATCH_BYTES_MAX:  # an empty batch takes any size
                    raise PublishError(
                        f"record of {len(value)} bytes for {entry[0]} is too large"
                    )
                _append(entry, record.time_ms, key, value)
                full.append(entry)
                open_[place] = entry
        return full

    def _address(self, topic: str, account: str) -> tuple[str, int]:
        return (
            f"{self._settings.topic_prefix}.{topic}.v1",
            partition_of(account, self._partitions[topic]),
        )

    async def _start(self) -> None:
        await until_reachable("producer", self._connect)

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=30_000,
        )
        try:
            await started(producer)
            for topic in self._topics:
                name = topic.full_name(self._settings.topic_prefix)
                self._partitions[topic.name] = len(await producer.partitions_for(name))
        except BaseException:
            await stopped(producer)
            raise
        self._producer = producer

    async def _stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stopped(producer)


def _append(
    entry: tuple[str, int, Any], time_ms: int, key: bytes | None, value: bytes
) -> bool:
    return entry[2].append(timestamp=time_ms, key=key, value=value) is not None
