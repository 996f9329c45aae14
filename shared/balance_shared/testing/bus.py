"""A bus in memory that takes records as Kafka does."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from balance_schemas.codec import decode, frame
from balance_schemas.records import Record
from balance_schemas.topics import Topic
from balance_shared.errors import BalanceBusError
from balance_shared.kafka import Outgoing

R = TypeVar("R", bound=Record)


class InMemoryBus:
    """Takes what a `balance_shared.kafka.Producer` would.

    Attributes:
        records: topic name → records in the order of arrival.
        hand_overs: how many calls of `publish` were acknowledged.
        restarts: how often `restart` was called.
    """

    def __init__(self) -> None:
        self.records: dict[str, list[Outgoing]] = defaultdict(list)
        self.hand_overs = 0
        self.restarts = 0
        self._failures: list[BalanceBusError] = []
        self._open = asyncio.Event()
        self._open.set()
        self._written = asyncio.Event()

    def pause(self) -> None:
        """Acknowledge nothing until `resume`."""
        self._open.clear()

    def resume(self) -> None:
        """Acknowledge again."""
        self._open.set()

    def fail(self, error: BalanceBusError) -> None:
        """Raise an error from the next call of `publish`, and take nothing of it."""
        self._failures.append(error)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Take records, as `Producer.publish`."""
        await self._open.wait()
        if self._failures:
            raise self._failures.pop(0)
        for record in records:
            self.records[record.topic.name].append(record)
        self.hand_overs += 1
        written, self._written = self._written, asyncio.Event()
        written.set()

    async def written(self) -> None:
        """Wait until records are taken."""
        await self._written.wait()

    async def restart(self) -> None:
        """Count it, as `Producer.restart`."""
        self.restarts += 1

    def read(self, topic: Topic, record_type: type[R]) -> list[R]:
        """Return the records of a topic, decoded."""
        return [
            decode(record_type, frame(1, record.body))
            for record in self.records[topic.name]
        ]

    def compacted(self, topic: Topic, record_type: type[R]) -> dict[str, R]:
        """Return the last record of each key of a topic."""
        last = {record.key: record for record in self.records[topic.name]}
        return {
            key: decode(record_type, frame(1, record.body))
            for key, record in last.items()
            if key is not None
        }
