"""What the bus holds of one account, read back by its connector."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import structlog

from balance_connector.books import RECENT_MAX
from balance_schemas.keys import account_key, partition_of, status_key
from balance_schemas.records import BalanceEvent, ConnectorStatus, Record
from balance_schemas.topics import EVENTS, LATEST, STATUS, Topic
from balance_shared.clock import Clock
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Incoming, LeaveOut, Reader, decoded, read_compacted
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

R = TypeVar("R", bound=Record)

BACK = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), None)
"""How far back the last status is looked for, step by step; None: from the start on."""

RECORDS_MAX = RECENT_MAX
"""Most records of a partition that are read back, the last ones: more facts than that
are not remembered, and no start is kept waiting for long."""

log = structlog.get_logger(__name__)


class Recall(Protocol):
    """The reading side of a connector; `KafkaRecall`, or a fake.

    Attributes:
        leave_out: told once of each record of ``latest`` or status that cannot be read.
    """

    leave_out: LeaveOut | None

    async def latest(self) -> Collection[BalanceEvent]:
        """Return the account's records of ``latest``, each key once."""

    async def told_since(self, time: datetime) -> Sequence[BalanceEvent]:
        """Return the account's events written at a time or later, in topic order.

        Only the last `RECORDS_MAX` records of the partition are looked at.
        """

    async def owed_since(self) -> datetime | None:
        """Return ``backfill_since`` of the stream's last status; None without one.

        Only the last `RECORDS_MAX` records of the partition are looked at.
        """

    def statuses(self) -> AsyncGenerator[ConnectorStatus, None]:
        """Yield the statuses of the account, of whatever process, as they are written.

        For ever, from now on; our own are among them.
        """


class KafkaRecall:
    """Reads the topics of one account; see `Recall`.

    Args:
        settings: where Kafka is.
        registry: where the schemas come from.
        venue: of the account.
        account: its alias.
        clock: from when back the last status is looked for.

    Every call raises `BusInterrupted` where Kafka fails in a way that passes.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        venue: str,
        account: str,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._status_key = partial(status_key, venue, account)
        self._account_key = account_key(venue, account)
        self._clock = clock
        self.leave_out: LeaveOut | None = None
        self._left_out: set[tuple[str, int, int]] = set()

    async def latest(self) -> Collection[BalanceEvent]:
        """See `Recall`; what cannot be read is left out: a picture tells it anew."""
        account, leave_out = self._account_key, self._leave_out
        records = await read_compacted(
            self._settings, self._registry, LATEST, account, BalanceEvent, leave_out
        )
        return records.values()

    def _leave_out(self, incoming: Incoming, error: RecordInvalid) -> None:
        """Leave a record out, and say so the first time."""
        place = incoming.topic, incoming.partition, incoming.offset
        if place not in self._left_out:
            self._left_out.add(place)
            log.warning("record_invalid", error=str(error))
            if self.leave_out is not None:
                self.leave_out(incoming, error)

    async def told_since(self, time: datetime) -> Sequence[BalanceEvent]:
        """See `Recall`; what cannot be read is no fact, and is left out."""
        events: list[BalanceEvent] = []
        async with Reader(self._settings, [EVENTS]) as reader:
            prefix = f"{self._account_key}|"
            for incoming in await self._since(reader, EVENTS, time, prefix):
                try:
                    events.append(await decoded(self._registry, BalanceEvent, incoming))
                except RecordInvalid as error:
                    log.warning("event_unreadable", error=str(error))
        return events

    async def owed_since(self) -> datetime | None:
        """See `Recall`; of the last status that can be read."""
        now = self._clock.now()
        async with Reader(self._settings, [STATUS]) as reader:
            for back in BACK:
                time = None if back is None else now - back
                found = await self._since(reader, STATUS, time, self._status_key("ws"))
                for incoming in reversed(found):
                    try:
                        status = await decoded(
                            self._registry, ConnectorStatus, incoming
                        )
                    except RecordInvalid as error:
                        self._leave_out(incoming, error)
                    else:
                        return status.backfill_since
        return None

    async def statuses(self) -> AsyncGenerator[ConnectorStatus, None]:
        """See `Recall`; what cannot be read is left out."""
        keys = {self._status_key(feed) for feed in ("ws", "rest")}
        async with Reader(self._settings, [STATUS]) as reader:
            async for incoming in reader.follow(self._place(reader, STATUS)):
                if incoming.key in keys and incoming.value is not None:
                    with suppress(RecordInvalid):
                        yield await decoded(self._registry, ConnectorStatus, incoming)

    def _place(self, reader: Reader, topic: Topic) -> tuple[str, int]:
        places = reader.places(topic)
        return places[partition_of(self._account_key, len(places))]

    async def _since(
        self, reader: Reader, topic: Topic, time: datetime | None, prefix: str
    ) -> list[Incoming]:
        """Return the records of the account's partition whose keys begin so."""
        place = self._place(reader, topic)
        if time is None:
            starts = await reader.beginnings([place])
        else:
            starts = await reader.since({place: time})
        ends = await reader.ends([place])
        first = ends[place] - RECORDS_MAX
        bounded = {place: max(start, first) for place, start in starts.items()}
        return [
            incoming
            async for batch in reader.read(bounded, ends)
            for incoming in batch
            if incoming.value is not None and (incoming.key or "").startswith(prefix)
        ]
