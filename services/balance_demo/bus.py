"""What the demo reads: Kafka's topics and PostgreSQL's tables, never the services."""

from collections.abc import AsyncIterator, Collection
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import AsyncConnection

from balance_demo.board import READ
from balance_demo.books import Books, Place
from balance_schemas.codec import schema_text
from balance_schemas.records import Record
from balance_schemas.topics import TOPICS, Topic
from balance_shared.kafka import Consumer, apply_topics
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

REGISTRY_PATIENCE_S = 15.0
"""How long to wait for the registry, in seconds."""

_BALANCES = """
SELECT venue, subaccount, wallet_id, venue_asset, balance
FROM balancebus.balances WHERE account = %s
"""
_EVENTS = "SELECT venue, count(*) FROM balancebus.events WHERE account = %s GROUP BY 1"


async def prepare(settings: ServiceSettings) -> str:
    """Create the topics and register the schemas; returns what was done."""
    await apply_topics(settings)
    async with Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S) as registry:
        for topic in TOPICS:
            subject = topic.subject(settings.topic_prefix)
            await registry.register(subject, schema_text(topic.record.__name__))
    return f"{len(TOPICS)} topics, {len(TOPICS)} schemas"


async def news(
    settings: ServiceSettings,
    registry: Registry,
    account: str,
    venues: Collection[str],
) -> AsyncIterator[list[tuple[Topic, Record]]]:
    """Yield what is told on the board's topics, from their beginning, for ever.

    Args:
        settings: where Kafka is.
        registry: for the schemas of records.
        account: whose records count.
        venues: at which venues.
    """
    topics = {topic.full_name(settings.topic_prefix): topic for topic in READ}
    async with Consumer(settings, registry, READ) as reader:
        async for batch in reader.batches(wait_s=0.25):
            found: list[tuple[Topic, Record]] = []
            for (name, _), incoming in batch.items():
                for one in incoming:
                    if one.value is not None:
                        record: Any = await reader.decode(topics[name].record, one)
                        if record.account == account and record.venue in venues:
                            found.append((topics[name], record))
            yield found


class Tables:
    """One reader of PostgreSQL.

    Args:
        connection: in autocommit mode.
        account: whose balances count.
    """

    def __init__(self, connection: AsyncConnection, account: str) -> None:
        self._connection = connection
        self._account = account

    async def books(self) -> Books:
        """Return the current balances."""
        rows = await self._connection.execute(_BALANCES, (self._account,))
        return {
            Place(*words): Decimal(balance) for *words, balance in await rows.fetchall()
        }

    async def events(self) -> dict[str, int]:
        """Return the number of events of each venue."""
        rows = await self._connection.execute(_EVENTS, (self._account,))
        return dict(await rows.fetchall())


async def connect(dsn: str) -> AsyncConnection:
    """Return a connection to PostgreSQL, in autocommit mode."""
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True)
