"""What a connector reads back of a bus in memory, as its Recall of Kafka would."""

from collections.abc import Collection, Sequence
from datetime import datetime

from balance_schemas.codec import decode, frame
from balance_schemas.records import BalanceEvent, ConnectorStatus
from balance_schemas.topics import EVENTS, LATEST, STATUS
from balance_shared.testing.bus import InMemoryBus


class InMemoryRecall:
    """Reads back all that lies on a bus with the records of one account.

    Attributes:
        bus: the bus; another one may be put in its place.
    """

    def __init__(self, bus: InMemoryBus) -> None:
        self.bus = bus

    async def latest(self) -> Collection[BalanceEvent]:
        """Return the records of ``latest``, each key once."""
        return self.bus.compacted(LATEST, BalanceEvent).values()

    async def told_since(self, time: datetime) -> Sequence[BalanceEvent]:
        """Return the events written at a time or later, in the order of arrival."""
        time_ms = time.timestamp() * 1000
        return [
            decode(BalanceEvent, frame(1, record.body))
            for record in self.bus.records[EVENTS.name]
            if record.time_ms >= time_ms
        ]

    async def owed_since(self) -> datetime | None:
        """Return ``backfill_since`` of the stream's last status."""
        for record in reversed(self.bus.records[STATUS.name]):
            status = decode(ConnectorStatus, frame(1, record.body))
            if status.feed == "ws":
                return status.backfill_since
        return None
