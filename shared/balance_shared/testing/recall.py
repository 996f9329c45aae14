"""What a connector reads back of a bus in memory, as its Recall of Kafka would."""

from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import datetime

from balance_schemas.codec import UndecodableError, decode, frame
from balance_schemas.records import BalanceEvent, ConnectorStatus
from balance_schemas.topics import EVENTS, LATEST, STATUS
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Incoming, LeaveOut, Outgoing
from balance_shared.testing.bus import InMemoryBus


class InMemoryRecall:
    """Reads back all that lies on a bus with the records of one account.

    Attributes:
        bus: the bus; another one may be put in its place.
        leave_out: told once of each record of ``latest`` that cannot be read.
    """

    def __init__(self, bus: InMemoryBus) -> None:
        self.bus = bus
        self.leave_out: LeaveOut | None = None
        self._left_out: set[int] = set()

    async def latest(self) -> Collection[BalanceEvent]:
        """Return the records of ``latest`` that can be read, each key once."""
        records = enumerate(self.bus.records[LATEST.name])
        last = {record.key: (offset, record) for offset, record in records}
        events: list[BalanceEvent] = []
        for offset, record in last.values():
            try:
                events.append(decode(BalanceEvent, frame(1, record.body)))
            except UndecodableError as error:
                self._leave(offset, record, str(error))
        return events

    def _leave(self, offset: int, record: Outgoing, error: str) -> None:
        if offset in self._left_out or self.leave_out is None:
            return
        self._left_out.add(offset)
        name, value = LATEST.name, frame(1, record.body)
        incoming = Incoming(name, 0, offset, record.key, value, record.time_ms)
        self.leave_out(incoming, RecordInvalid(error))

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

    async def statuses(self) -> AsyncGenerator[ConnectorStatus, None]:
        """Yield the statuses of the account as they are written, from now on."""
        read = len(self.bus.records[STATUS.name])
        while True:
            records = self.bus.records[STATUS.name][read:]
            read += len(records)
            if not records:
                await self.bus.written()
            for record in records:
                yield decode(ConnectorStatus, frame(1, record.body))
