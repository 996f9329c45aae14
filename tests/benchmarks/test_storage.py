"""Storing batches of events, against a bare COPY of the same rows."""

import itertools
import statistics
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_schemas.records import BalanceEvent, Movement
from balance_storage import rows, sql
from balance_storage.database import Database
from balance_storage.schema import migrate

pytestmark = pytest.mark.benchmark

BATCH = 5000
BATCHES = 10
PLACE = ("balances.events.v1", 0)
START = datetime(2026, 3, 1, tzinfo=UTC)


def update(number: int) -> BalanceEvent:
    """Return an update of one of 2,000 balances, with its ledger line."""
    ledger_id = f"L{number * 7919 % 10**6:06d}-{number:06d}-XYZ"
    at = START + timedelta(milliseconds=number)
    amount = Decimal(number) / 1000
    return BalanceEvent(
        event_id=f"kraken|main||{ledger_id}",
        venue="kraken",
        account="main",
        subaccount="",
        feed="ws",
        wallet="spot",
        wallet_id="main",
        nature="asset",
        asset=f"C{number * 31 % 2000}",
        venue_asset="XXBT",
        asset_class="currency",
        network="",
        kind="update",
        balance=Decimal(f"{number}.000000000000000001"),
        delta=amount,
        reported_balance=amount,
        balance_scope="wallet",
        movements=(
            Movement(
                movement_id=ledger_id,
                reference_id="TXYZ",
                type="trade",
                category="trade",
                amount=amount,
                fee=Decimal(0),
                change=amount,
                occurred_at=at,
                occurred_at_text=at.isoformat(),
            ),
        ),
        venue_time=at,
        received_at=at + timedelta(milliseconds=5),
        epoch=1,
        sequence=number,
    )


def batches(first: int) -> list[list[rows.Row]]:
    """Return `BATCHES` batches."""
    return [
        [
            rows.row_of(rows.Placed(update(number), *PLACE, number))
            for number in range(start, start + BATCH)
        ]
        for start in range(first, first + BATCH * BATCHES, BATCH)
    ]


@pytest.fixture
def dsn(stack) -> Iterator[str]:
    """Give a database of one's own, with the tables."""
    name = f"bench_{uuid.uuid4().hex}"
    server = stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    own = make_conninfo(server, dbname=name)
    migrate(own)
    yield own
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def bare(dsn: str, batches: list[list[rows.Row]]) -> float:
    """Return the seconds that COPY alone takes into tables without an index."""
    with psycopg.connect(dsn) as connection:
        for table in ("events", "movements"):
            connection.execute(
                f"CREATE TABLE balancebus.bare_{table} (LIKE balancebus.{table} INCLUDING DEFAULTS)"
            )
        connection.commit()
        started = time.perf_counter()
        for batch in batches:
            copied = (
                (sql.COPY_EVENTS, rows.event_lines((row, START) for row in batch)),
                (sql.COPY_MOVEMENTS, rows.movement_lines(batch)),
            )
            for statement, lines in copied:
                into = statement.replace("balancebus.", "balancebus.bare_")
                with connection.cursor().copy(into) as copy:
                    copy.write(lines)
            connection.commit()
        seconds = time.perf_counter() - started
        connection.execute(
            "DROP TABLE balancebus.bare_events, balancebus.bare_movements"
        )
    return seconds


async def stored(dsn: str, batches: list[list[rows.Row]], first: int) -> float:
    """Return the seconds that storing takes."""
    async with Database.connect(dsn) as database:
        at = (await database.positions([PLACE]))[PLACE]
        started = time.perf_counter()
        for batch, number in zip(batches, itertools.count(1), strict=False):
            after = first + number * BATCH
            await database.store(batch, {PLACE: at}, {PLACE: after})
            at = after
    return time.perf_counter() - started


async def test_storing_against_bare_copy(dsn):
    """Prints rows a second of both, and the ratio."""
    pairs = []
    for run in range(5):
        first = run * BATCH * BATCHES
        told = batches(first)
        pairs.append((bare(dsn, told), await stored(dsn, told, first)))
    count = BATCH * BATCHES
    for name, seconds in zip(
        ("bare COPY", "stored"), zip(*pairs, strict=True), strict=True
    ):
        print(f"\n{name}: {count / statistics.median(seconds):,.0f} rows/s", end="")
    ratios = [bare_s / stored_s for bare_s, stored_s in pairs]
    print(
        f"\nratio to bare COPY: {statistics.median(ratios):.2f} ({[round(r, 2) for r in ratios]})"
    )
