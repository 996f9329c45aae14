"""Events to store, a database of one's own, and topics of one's own."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_schemas.keys import account_key
from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS
from balance_shared.kafka import Outgoing, Producer, apply_topics
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import StorageSettings
from balance_storage.schema import migrate
from balance_storage.service import run

RECEIVED_AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

NOW_MS = int(time.time() * 1000)
"""When records are told: Kafka deletes what is older than its topic keeps, read or not."""


def build_event(**fields: Any) -> BalanceEvent:
    """Return an update of one Kraken wallet, with the fields that matter set."""
    defaults: dict[str, Any] = {
        "event_id": "kraken|main||L1",
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "feed": "ws",
        "wallet": "spot",
        "wallet_id": "main",
        "nature": "asset",
        "asset": "BTC",
        "venue_asset": "XXBT",
        "asset_class": "currency",
        "network": "",
        "kind": "update",
        "balance": Decimal("1.5"),
        "balance_scope": "wallet",
        "received_at": RECEIVED_AT,
        "epoch": 1,
    }
    return BalanceEvent(**(defaults | fields))


@pytest.fixture(scope="session")
def make_event() -> Callable[..., BalanceEvent]:
    """Give the builder of events."""
    return build_event


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Make a database that nobody else uses, and drop it at the end."""
    name = f"storage_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_conninfo(server, dbname=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def dsn(stack) -> Iterator[str]:
    """Give an empty database that the tests of one file share."""
    with empty_database(stack.endpoints.postgres_dsn) as own:
        yield own


@pytest.fixture
def unmigrated(stack) -> Iterator[str]:
    """Give a database without tables, of one test."""
    with empty_database(stack.endpoints.postgres_dsn) as own:
        yield own


@pytest.fixture
def another(stack) -> Iterator[str]:
    """Give a second one."""
    with empty_database(stack.endpoints.postgres_dsn) as own:
        yield own


@pytest.fixture(scope="module")
def migrated(dsn) -> str:
    """Give the database with its tables."""
    migrate(dsn)
    return dsn


@dataclass
class Bus:
    """Topics and a database of one test, with instances of storage to run on them.

    Attributes:
        settings: what the instances get.
        producer: of events.
    """

    settings: StorageSettings
    producer: Producer

    async def publish(self, events: Sequence[BalanceEvent]) -> None:
        """Write events as a connector would."""
        await self.producer.publish(
            [
                outgoing(EVENTS, account_key(event.venue, event.account), event, NOW_MS)
                for event in events
            ]
        )

    async def publish_poison(self, account: str, body: bytes) -> None:
        """Write bytes that are no record."""
        key = f"{account}||spot/main|BTC"
        await self.producer.publish([Outgoing(EVENTS, account, key, body, NOW_MS)])

    @asynccontextmanager
    async def instance(self) -> AsyncIterator[Parts]:
        """Run storage while the context lasts; gives its readiness."""
        parts = Parts()
        task = asyncio.create_task(run(self.settings, parts))
        try:
            yield parts
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none while the tables are not there yet."""
        dsn = self.settings.postgres_dsn.get_secret_value()
        try:
            with psycopg.connect(dsn) as connection:
                return connection.execute(query).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
            return []

    def taken(self) -> int:
        """Return how many records are taken in, by the stored positions."""
        rows = self.select(
            "SELECT sum(next_offset)::bigint FROM balancebus.consumer_offsets"
        )
        return int(rows[0][0] or 0) if rows else 0

    async def until_taken(self, count: int, seconds: float = 120) -> None:
        """Wait until that many records are taken in."""
        await until(lambda: self.taken() >= count, seconds)
        assert count == self.taken()

    def balances(self) -> dict[str, tuple[Decimal, str]]:
        """Return balance key → balance and event id."""
        rows = self.select(
            "SELECT balance_key, balance, event_id FROM balancebus.balances"
        )
        return {key: (balance, event_id) for key, balance, event_id in rows}


async def until(met: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until a condition is met; fails after that many seconds, and says where."""
    try:
        async with asyncio.timeout(seconds):
            while not met():  # noqa: ASYNC110 — the database and Prometheus tell nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        for task in asyncio.all_tasks():
            print(task.get_name(), *waiting_at(task), sep="\n    ")
        raise


def waiting_at(task: asyncio.Task[Any]) -> Iterator[str]:
    """Yield where a task waits, from the outside in."""
    one: Any = task.get_coro()
    while frame := getattr(one, "cr_frame", None) or getattr(one, "gi_frame", None):
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        one = getattr(one, "cr_await", None) or getattr(one, "gi_yieldfrom", None)


@pytest.fixture(name="until")
def until_fixture():
    """Give the waiting."""
    return until


@pytest.fixture
async def bus(stack) -> AsyncIterator[Bus]:
    """Give empty topics and an empty database."""
    name = f"storage_{uuid.uuid4().hex}"
    server = stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    settings = StorageSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        postgres_dsn=make_conninfo(server, dbname=name),
        topic_prefix=name,
        topic_partitions=4,
    )
    await apply_topics(settings)
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, [EVENTS]) as producer,
    ):
        yield Bus(settings, producer)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
