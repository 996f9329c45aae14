"""What the demo reads: Kafka's topics and PostgreSQL's tables, never the services."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

import psycopg
from psycopg import AsyncConnection

from balance_demo.books import Books
from balance_schemas.codec import schema_text
from balance_schemas.keys import account_key
from balance_schemas.records import BalanceEvent, ConnectorStatus
from balance_schemas.topics import EVENTS, LATEST, STATUS, TOPICS
from balance_shared.kafka import Consumer, Incoming, apply_topics, read_compacted
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

REGISTRY_PATIENCE_S = 15.0
"""How long to wait for the registry, in seconds."""

Account = tuple[str, str]
"""Venue and alias."""

_BALANCES = """
SELECT balance_key, balance FROM balancebus.balances WHERE venue = %s AND account = %s
"""
_EVENTS = "SELECT count(*) FROM balancebus.events WHERE venue = %s AND account = %s"


async def prepare(settings: ServiceSettings) -> str:
    """Create the topics and register the schemas; returns what was done."""
    await apply_topics(settings)
    async with Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S) as registry:
        for topic in TOPICS:
            subject = topic.subject(settings.topic_prefix)
            await registry.register(subject, schema_text(topic.record.__name__))
    return f"{len(TOPICS)} topics, {len(TOPICS)} schemas"


@dataclass(slots=True)
class Told:
    """Events as they lie on Kafka.

    Attributes:
        events: how many.
        ids: their ids; fewer, if some are told more than once.
    """

    events: int = 0
    ids: set[str] = field(default_factory=set)


class Bus:
    """One reader of the bus.

    Args:
        settings: where Kafka and the registry are.
        registry: for the schemas of records.
        accounts: whose balances count.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        accounts: Collection[Account],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._accounts = frozenset(accounts)

    async def news(self) -> AsyncIterator[list[BalanceEvent | ConnectorStatus]]:
        """Yield what is told on latest and status, from their beginning, for ever."""
        latest = LATEST.full_name(self._settings.topic_prefix)
        async with Consumer(self._settings, self._registry, [LATEST, STATUS]) as reader:
            async for batch in reader.batches(wait_s=0.25):
                found: list[BalanceEvent | ConnectorStatus] = []
                for incoming in _records(batch):
                    if incoming.topic == latest:
                        found.append(await reader.decode(BalanceEvent, incoming))
                    else:
                        found.append(await reader.decode(ConnectorStatus, incoming))
                yield [one for one in found if self._ours(one)]

    async def books(self) -> Books:
        """Return the balances on latest, read anew from the beginning."""
        books: Books = {}
        for account in sorted(self._accounts):
            records = await read_compacted(
                self._settings,
                self._registry,
                LATEST,
                account_key(*account),
                BalanceEvent,
            )
            books |= {key: event.balance for key, event in records.items()}
        return books

    async def told(self) -> Told:
        """Return the events on Kafka, read from the beginning to the end."""
        told = Told()
        async with Consumer(self._settings, self._registry, [EVENTS]) as reader:
            unread = {place: end for place, end in (await reader.end()).items() if end}
            if not unread:
                return told
            async for batch in reader.batches(wait_s=0.25):
                for incoming in _records(batch):
                    event = await reader.decode(BalanceEvent, incoming)
                    if self._ours(event):
                        told.events += 1
                        told.ids.add(event.event_id)
                for place, records in batch.items():
                    if records and records[-1].offset + 1 >= unread.get(place, 0):
                        unread.pop(place, None)
                if not unread:
                    return told
        return told

    def _ours(self, record: BalanceEvent | ConnectorStatus) -> bool:
        return (record.venue, record.account) in self._accounts


def _records(batch: dict[tuple[str, int], list[Incoming]]) -> list[Incoming]:
    """Return the records of a batch that are no tombstones."""
    return [
        incoming
        for records in batch.values()
        for incoming in records
        if incoming.value is not None
    ]


class Tables:
    """One reader of PostgreSQL.

    Args:
        connection: in autocommit mode.
        accounts: whose balances count.
    """

    def __init__(
        self, connection: AsyncConnection, accounts: Collection[Account]
    ) -> None:
        self._connection = connection
        self._accounts = sorted(accounts)

    async def books(self) -> Books:
        """Return the current balances."""
        books: Books = {}
        for account in self._accounts:
            rows = await self._connection.execute(_BALANCES, account)
            books |= dict(await rows.fetchall())
        return books

    async def events(self) -> int:
        """Return the number of events."""
        count = 0
        for account in self._accounts:
            rows = await self._connection.execute(_EVENTS, account)
            found = await rows.fetchone()
            count += found[0] if found else 0
        return count


async def connect(dsn: str) -> AsyncConnection:
    """Return a connection to PostgreSQL, in autocommit mode."""
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True)
