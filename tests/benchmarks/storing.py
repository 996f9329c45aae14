"""Batches of events, stored and copied bare.

The bare rows are flat: an event with all its texts, a ledger line with its event's id,
as one would keep them without an index, a constraint or a thought; that is the layout
of revision 0002, so that figures can be compared over releases. Both start from the
same `rows.Row`s, and make text of them as they go. Beside it, COPY of text that was
ready before, which is PostgreSQL alone, into flat tables and into tables with our
columns and indexes.
"""

import asyncio
import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg

from balance_schemas.records import BalanceEvent, Movement
from balance_storage import rows, sql
from balance_storage.chain import End
from balance_storage.database import Database
from balance_storage.drafts import Draft, Ground, drafted, drafting
from balance_storage.lines import Numbers
from balance_storage.service import BATCH_RECORDS

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


def batches(first: int) -> list[list[rows.Row]]:
    """Return `BATCHES` batches."""
    return [
        [
            rows.row_of(rows.Placed(update(number), *PLACE, number))
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


def flat(row: rows.Row) -> tuple[str, str]:
    """Return an event and its ledger lines with all that they say."""
    event, at = row.placed.event, row.placed
    texts = [getattr(event, name) for name in KEY]
    places = [row.key, at.topic, str(at.partition)]
    start = f"{event.event_id}\t{row.key}"
    lines = "".join(f"{start}\t{line}\n" for line in row.movements)
    return "\t".join([*texts, *places, row.line, START.isoformat()]) + "\n", lines


def texts(batch: list[rows.Row]) -> list[bytes]:
    """Return what COPY takes of a batch, for each flat table."""
    told = zip(*map(flat, batch), strict=True)
    return ["".join(lines).encode() for lines in told]


def bare(dsn: str, batches: list[list[rows.Row]], *, ready: bool = False) -> float:
    """Return the seconds that COPY alone takes into flat tables without an index.

    Args:
        dsn: of the database.
        batches: of rows.
        ready: whether their texts are made before the clock runs.
    """
    told = list(map(texts, batches)) if ready else map(texts, batches)
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
            for (table, columns), text in zip(tables.items(), batch, strict=True):
                into = f"COPY bare_{table} ({', '.join(columns)}) FROM STDIN"
                with connection.cursor().copy(into) as copy:
                    copy.write(text)
            connection.commit()
        seconds = time.perf_counter() - started
        connection.execute("DROP TABLE bare_events, bare_movements")
    return seconds


def drafts(batches: list[list[rows.Row]]) -> Iterator[Draft]:
    """Yield what storing would copy of batches, as the first rows of an account."""
    keys = dict.fromkeys(row.key for batch in batches for row in batch)
    ids = {key: at for at, key in enumerate(keys)}
    numbers = Numbers(ids, dict.fromkeys(keys, 1), {PLACE: 1})
    ground = Ground({1: End()}, dict.fromkeys(keys))
    for batch in batches:
        draft = drafted(drafting(batch, numbers, ground, {}, datetime.now(UTC)))
        ground.advance(draft)
        yield draft


def indexed(dsn: str, batches: list[list[rows.Row]]) -> float:
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


async def stored(dsn: str, batches: list[list[rows.Row]], first: int) -> float:
    """Return the seconds that storing takes."""
    async with Database.connect(dsn) as database:
        at = (await database.positions([PLACE]))[PLACE]
        gc.freeze()  # as every service does when it starts
        started = time.perf_counter()
        storing: list[asyncio.Task[None]] = []
        for batch in batches:  # one is drafted while another is stored, as there
            before, at = at, at + BATCH
            store = database.store(batch, {PLACE: before}, {PLACE: at})
            storing.append(asyncio.create_task(store))
            if len(storing) > 1:
                await storing.pop(0)
        await asyncio.gather(*storing)
    return time.perf_counter() - started
