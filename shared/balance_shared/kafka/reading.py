"""Reading a stretch of a topic from one offset to another, beside any group."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from balance_schemas.topics import Topic
from balance_shared.errors import BusInterrupted
from balance_shared.kafka.connection import (
    answering,
    started,
    stopped,
    translated,
    until_reachable,
)
from balance_shared.kafka.consumer import (
    Incoming,
    Positions,
    consumer_of,
    incoming_of,
    partitions_of,
)
from balance_shared.settings import ServiceSettings

Place = tuple[str, int]
"""Full name of a topic, and a partition."""

WAIT_MS = 500

START_S_MAX = 10.0
"""How long a consumer may take to start until we ask whether its topics are there."""


class Reader:
    """Reads what is there and ends; use as an async context manager.

    Args:
        settings: where Kafka is, and the topics' prefix.
        topics: what to read.
        patience_s: how long Kafka may take to answer at first, in seconds; None: for
            ever.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        topics: Iterable[Topic],
        patience_s: float | None = None,
    ) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._names = [topic.full_name(settings.topic_prefix) for topic in topics]
        self._places: dict[str, list[Place]] = {}
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        """Wait for Kafka.

        Raises:
            BusInterrupted: it does not answer within `patience_s`, or answers and does
                not have the topics.
        """
        async with answering(self._settings, self._patience_s):
            await until_reachable("reader", self._connect)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._consumer is not None:
            await stopped(self._consumer)

    async def _connect(self) -> None:
        consumer = consumer_of(self._settings, None, *self._names)
        try:
            try:
                async with asyncio.timeout(START_S_MAX):
                    await started(consumer)
            except TimeoutError:
                await self._look_for_topics()
                raise
            for name in self._names:
                numbers = range(partitions_of(consumer, name))
                self._places[name] = [(name, number) for number in numbers]
            consumer.unsubscribe()
        except BaseException:
            await stopped(consumer)
            raise
        self._consumer = consumer

    async def _look_for_topics(self) -> None:
        """Name topics that are missing: aiokafka waits for them without a word."""
        consumer = consumer_of(self._settings, None)
        try:
            await started(consumer)
            there = await consumer.topics()
        finally:
            await stopped(consumer)
        if missing := sorted(set(self._names) - there):
            raise BusInterrupted(
                f"no topic {', '.join(missing)}: create with `balancebus topics apply`"
            )

    def places(self, topic: Topic) -> list[Place]:
        """Return the partitions of one of its topics."""
        return self._places[topic.full_name(self._settings.topic_prefix)]

    async def beginnings(self, places: Collection[Place]) -> Positions:
        """Return the offset of the first record that each place still holds."""
        return await self._offsets(self._running().beginning_offsets, places)

    async def ends(self, places: Collection[Place]) -> Positions:
        """Return the offset just after the last record of each place."""
        return await self._offsets(self._running().end_offsets, places)

    async def since(self, times: Mapping[Place, datetime]) -> Positions:
        """Return the offset of each place's first record written at a time or later.

        Places without one are left out.
        """
        asked = {TopicPartition(*place): _ms(time) for place, time in times.items()}
        with translated():
            found = await self._running().offsets_for_times(asked)
        return {
            (tp.topic, tp.partition): answer.offset
            for tp, answer in found.items()
            if answer is not None
        }

    async def read(
        self, starts: Positions, ends: Positions
    ) -> AsyncIterator[list[Incoming]]:
        """Yield records in batches, those of one place in order.

        Args:
            starts: where to begin; places that it leaves out are not read.
            ends: where to end, that offset itself left out.

        Raises:
            BusInterrupted: Kafka failed in a way that passes.
        """
        consumer = self._running()
        open_ = {
            TopicPartition(*place): ends.get(place, 0)
            for place, start in starts.items()
            if start < ends.get(place, 0)
        }
        consumer.assign(list(open_))
        for tp in open_:
            consumer.seek(tp, starts[tp.topic, tp.partition])
        while open_:
            with translated():
                fetched = await consumer.getmany(*open_, timeout_ms=WAIT_MS)
                done = {
                    tp
                    for tp, end in open_.items()
                    if await consumer.position(tp) >= end
                }
                # Else Kafka would be asked for more, and keep us waiting for all else
                # until it answers that there is none, after half a second.
                consumer.pause(*done)
            for tp, records in fetched.items():
                taken = [incoming_of(one) for one in records if one.offset < open_[tp]]
                if taken:
                    yield taken
            open_ = {tp: end for tp, end in open_.items() if tp not in done}

    async def follow(self, place: Place) -> AsyncIterator[Incoming]:
        """Yield the records of a place as they are written, from now on, for ever.

        Raises:
            BusInterrupted: Kafka failed in a way that passes.
        """
        consumer, tp = self._running(), TopicPartition(*place)
        ends = await self.ends([place])
        consumer.assign([tp])
        consumer.seek(tp, ends[place])
        while True:
            with translated():
                fetched = await consumer.getmany(tp, timeout_ms=WAIT_MS)
            for record in fetched.get(tp, []):
                yield incoming_of(record)

    async def _offsets(self, ask: Any, places: Collection[Place]) -> Positions:
        with translated():
            found = await ask([TopicPartition(*place) for place in places])
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("use the reader as an async context manager")
        return self._consumer


def _ms(time: datetime) -> int:
    return max(0, int(time.timestamp() * 1000))
