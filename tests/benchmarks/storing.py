"""Batches of events, stored and copied bare.

The bare rows are flat: an event with all its values, a ledger line with its event's id,
as one would keep them without an index, a constraint or a thought; that is the layout
of revision 0002, so that figures can be compared over releases. Both begin with the
same decoded records and end with the last commit. Bare is what psycopg's documentation
shows: ``write_row``, a row at a time.

Beside it, COPY of text that was made before the clock runs, which is PostgreSQL alone,
into flat tables and into tables with our columns and indexes.
"""

import asyncio
import gc
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

import psycopg

from balance_schemas.records import BalanceEvent, Movement
from balance_storage import rows, sql
from balance_storage.chain import End
from balance_storage.database import Database
from balance_storage.drafts import Draft, Ground, drafted, drafting
from balance_storage.lines import Numbers
from balance_storage.service import BATCH_RECORDS, RECORDS_AT_ONCE

BATCH = BATCH_RECORDS
BATCHES = 20
"""The first two of a run are drafted with nothing to store beside them."""
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


Batch = list[rows.Placed]


def batches(first: int) -> list[Batch]:
    """Return `BATCHES` batches."""
    return [
        [
            rows.Placed(update(number), *PLACE, number)
            for number in range(start, start + BATCH)
        ]
        for start in range(first, first + BATCH * BATCHES, BATCH)
    ]


KEY = ("venue", "account", "subaccount", "wallet", "wallet_id", "asset")
FLAT_EVENTS = (
    *KEY,
    "balance_key",
    "topic",
    "topic_partition",
    *rows.COLUMNS,
    "effective_at",
)
FLAT_LINES = ("event_id", "balance_key", *rows.MOVEMENT_COLUMNS)


_event_values = attrgetter(*KEY, "key")
_texts = attrgetter(*rows.TEXTS, "snapshot_id")
_figures = attrgetter(*rows.COLUMNS[-10:])
_line_texts = attrgetter(*rows.MOVEMENT_TEXTS)
_line_figures = attrgetter("amount", "fee", "change", "occurred_at")


def values(batch: Batch) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return what events and their ledger lines say, as rows of the flat tables."""
    events, lines = [], []
    for placed in batch:
        event, at = placed.event, (placed.topic, placed.partition, placed.offset)
        attributes = json.dumps(event.attributes) if event.attributes else "{}"
        told = *_event_values(event), *at, *_texts(event), attributes
        events.append((*told, *_figures(event), event.received_at))
        for line, movement in enumerate(event.movements):
            own = event.event_id, event.key, event.received_at, line
            attributes = (
                json.dumps(movement.attributes) if movement.attributes else "{}"
            )
            told = *own, *_line_texts(movement), attributes
            lines.append((*told, *_line_figures(movement)))
    return events, lines


def text(row: rows.Row) -> tuple[str, str]:
    """Return the same as text: of an event, and of its ledger lines."""
    event, at = row.placed.event, row.placed
    start = "\t".join([*_event_values(event), at.topic, str(at.partition)])
    lines = [f"{event.event_id}\t{row.key}\t{line}\n" for line in row.movements]
    return f"{start}\t{row.line}\t{row.received_at}\n", "".join(lines)


def texts(batch: Batch) -> list[str]:
    """Return what COPY takes of a batch, for each flat table."""
    told = zip(*map(text, map(rows.row_of, batch)), strict=True)
    return ["".join(lines) for lines in told]


def bare(dsn: str, batches: list[Batch], *, ready: bool = False) -> float:
    """Return the seconds that COPY alone takes into flat tables without an index.

    Args:
        dsn: of the database.
        batches: of records.
        ready: whether they are text before the clock runs.
    """
    told: Iterable[Sequence[Any]] = map(values, batches)
    if ready:
        told = list(map(texts, batches))
    tables = {"events": FLAT_EVENTS, "movements": FLAT_LINES}
    with psycopg.connect(dsn) as connection:
        for table, columns in tables.items():
            connection.execute(
                f"CREATE TABLE bare_{table} AS SELECT {', '.join(columns)} FROM balancebus.{table} WITH NO DATA"  # noqa: S608
            )
            connection.execute(
                f"ALTER TABLE bare_{table} ADD COLUMN stored_at timestamptz DEFAULT now()"
            )
        connection.commit()
        started = time.perf_counter()
        for batch in told:
            for (table, columns), made in zip(tables.items(), batch, strict=True):
                into = f"COPY bare_{table} ({', '.join(columns)}) FROM STDIN"
                with connection.cursor().copy(into) as copy:
                    if ready:
                        copy.write(made)
                        continue
                    for row in made:
                        copy.write_row(row)
            connection.commit()
        seconds = time.perf_counter() - started
        connection.execute("DROP TABLE bare_events, bare_movements")
    return seconds


def drafts(batches: list[Batch]) -> Iterator[Draft]:
    """Yield what storing would copy of batches, as the first rows of an account."""
    keys = dict.fromkeys(placed.event.key for batch in batches for placed in batch)
    ids = {key: at for at, key in enumerate(keys)}
    numbers = Numbers(ids, dict.fromkeys(keys, 1), {PLACE: 1})
    ground = Ground({1: End()}, dict.fromkeys(keys))
    for batch in batches:
        told = list(map(rows.row_of, batch))
        draft = drafted(drafting(told, numbers, ground, {}, datetime.now(UTC)))
        ground.advance(draft)
        yield draft


def indexed(dsn: str, batches: list[Batch]) -> float:
    """Return the seconds that COPY alone takes into tables and indexes like ours."""
    tables = ("tellings", sql.COPY_TELLINGS), ("event_ids", sql.COPY_IDS)
    told = [(draft.tellings, draft.ids) for draft in drafts(batches)]
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA indexed")
        for table, _ in tables:
            connection.execute(
                f"CREATE TABLE indexed.{table} (LIKE balancebus.{table} INCLUDING ALL)"
            )
        connection.commit()
        started = time.perf_counter()
        for batch in told:
            for (_, into), made in zip(tables, batch, strict=True):
                own = into.replace("balancebus.", "indexed.")
                with connection.cursor().copy(own) as copy:
                    copy.write(made)
            connection.commit()
        seconds = time.perf_counter() - started
        connection.execute("DROP SCHEMA indexed CASCADE")
    return seconds


async def stored(dsn: str, batches: list[Batch], first: int) -> float:
    """Return the seconds that storing takes, from decoded records on."""
    async with Database.connect(dsn) as database:
        at = (await database.positions([PLACE]))[PLACE]
        gc.freeze()  # as every service does when it starts
        started = time.perf_counter()
        storing: list[asyncio.Task[None]] = []
        for batch in batches:  # one is made ready while another is stored, as there
            told = []
            for number, placed in enumerate(batch):
                if number % RECORDS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                told.append(rows.row_of(placed))
            before, at = at, at + BATCH
            store = database.store(told, {PLACE: before}, {PLACE: at})
            storing.append(asyncio.create_task(store))
            if len(storing) > 1:
                await storing.pop(0)
        await asyncio.gather(*storing)
    return time.perf_counter() - started
