"""PostgreSQL: positions, and batches stored in one transaction with them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from balance_shared.errors import SettingsError
from balance_storage import facts, sql
from balance_storage.facts import Head
from balance_storage.rows import Row, Statement, event_lines, movement_lines
from balance_storage.schema import Migrated, migrate

Place = tuple[str, int]
"""(topic, partition)."""

Cursor = psycopg.AsyncCursor[TupleRow]

FAULTS = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError)
"""What passes: no connection, a restart, a fail-over, a full disk, a deadlock."""

_OPTIONS = {
    "application_name": "balancebus-storage",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""A database that went away is noticed within 20 s; the DSN may say otherwise."""


class PositionsMoved(Exception):  # noqa: N818 — says what is
    """Another instance stored these partitions further; nothing was written."""


def checked_dsn(dsn: str) -> str:
    """Return the DSN with our connection options where it sets none.

    Raises:
        SettingsError: it cannot be read. It is not shown: it may hold a password.
    """
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise SettingsError(
            "BALANCEBUS_POSTGRES_DSN: not a libpq connection string or URL"
        ) from None
    added = {name: value for name, value in _OPTIONS.items() if name not in given}
    return make_conninfo(dsn, **added)


class Database:
    """One connection for writing; open it with `Database.connect`.

    Args:
        dsn: as `checked_dsn` returned it.
        connection: open, with the staging table.
    """

    def __init__(self, dsn: str, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        self._dsn = dsn
        self._connection = connection
        self._months: set[datetime] = set()

    @classmethod
    @asynccontextmanager
    async def connect(cls, dsn: str) -> AsyncIterator["Database"]:
        """Connect; psycopg's errors of `FAULTS` mean: try again."""
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute(sql.SESSION)
            await connection.execute(sql.STAGE)
            await connection.commit()
            yield cls(dsn, connection)

    async def positions(self, places: Collection[Place]) -> dict[Place, int]:
        """Return where each partition goes on; 0 for one that was never read.

        Uses a connection of its own: Kafka asks for positions while a batch is being
        written, and must not see what is not committed.
        """
        columns = _columns(sorted(places))
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            await connection.execute(sql.KNOWN_PLACES, columns)
            cursor = await connection.execute(sql.POSITIONS, columns)
            return {(topic, at): offset async for topic, at, offset in cursor}

    async def store(
        self,
        batch: Sequence[Row],
        before: Mapping[Place, int],
        after: Mapping[Place, int],
        others: Sequence[Statement] = (),
    ) -> None:
        """Store a batch and move the positions, both or neither.

        Args:
            batch: events, in topic order for each partition; may be empty.
            before: position of each partition as we know it.
            after: position of each partition once the batch is stored.
            others: what to store of other topics, in order.

        Raises:
            PositionsMoved: the stored positions are not those of `before`. Read them
                again and go on there.
        """
        places = sorted(after)
        columns = _columns(places)
        await self._make_partitions(
            facts.months([row.placed.event.received_at for row in batch])
        )
        async with self._connection.transaction():
            cursor = await self._connection.execute(sql.LOCKED_POSITIONS, columns)
            found = {(topic, at): offset async for topic, at, offset in cursor}
            if found != {place: before[place] for place in places}:
                raise PositionsMoved
            if batch:
                await self._store_events(cursor, batch)
            for statement, values in others:
                await cursor.execute(statement, values)
            offsets = [after[place] for place in places]
            await cursor.execute(sql.ADVANCE, (*columns, offsets))

    async def _store_events(self, cursor: Cursor, batch: Sequence[Row]) -> None:
        told = facts.live_epochs(batch)
        ids = sorted(told)
        live = [told[event_id] for event_id in ids]
        await cursor.execute(sql.NEW_IDS, (ids, live), binary=True)
        repeated = told.keys() - {event_id async for (event_id,) in cursor}
        known: dict[str, int | None] = {}
        if repeated:
            await cursor.execute(sql.KNOWN_IDS, (sorted(repeated),))
            known = {event_id: epoch async for event_id, epoch in cursor}
        await cursor.execute(sql.HEADS, (list({row.key for row in batch}),))
        heads = {key: Head(epoch, at) async for key, epoch, at in cursor}
        settled = facts.settle(batch, known, heads, datetime.now(UTC))
        await _copy(cursor, sql.COPY_EVENTS, event_lines(settled.first))
        lines = movement_lines(row for row, _ in settled.first)
        await _copy(cursor, sql.COPY_MOVEMENTS, lines)
        if settled.again:
            await _copy(cursor, sql.COPY_STAGED, event_lines(settled.again))
            await cursor.execute(sql.RETELL)
            await cursor.execute(sql.CLEAR_STAGED)
            epochs = settled.live_epochs
            values = list(epochs.keys()), list(epochs.values())
            await cursor.execute(sql.LIVE_EPOCHS, values)
        if settled.current:
            current = event_lines(settled.current.values())
            await _copy(cursor, sql.COPY_STAGED, current)
            await cursor.execute(sql.MERGE)

    async def keep_partitions(self, retention_days: int | None) -> int:
        """Make the partitions of the months to come and drop those out of retention.

        Args:
            retention_days: whole months that are over for so many days are dropped,
                but for what still answers for a balance; None keeps everything.

        Returns:
            The number of partitions dropped.
        """
        now = datetime.now(UTC)
        ahead = (now + timedelta(days=days) for days in (0, 31, 62))
        await self._make_partitions(facts.months(ahead))
        if retention_days is None:
            return 0
        async with self._connection.transaction():
            cursor = await self._connection.execute(
                sql.DROP_PARTITIONS, (retention_days,)
            )
            self._months.clear()
            row = await cursor.fetchone()
            return int(row[0]) if row else 0

    async def _make_partitions(self, months: Collection[datetime]) -> None:
        """Make partitions that we do not know to be there, each on its own."""
        for month in sorted(set(months) - self._months):
            async with self._connection.transaction():
                await self._connection.execute(sql.MAKE_PARTITION, (month,))
            self._months.add(month)


async def _copy(cursor: Cursor, statement: LiteralString, lines: bytes) -> None:
    if lines:
        async with cursor.copy(statement) as copy:
            await copy.write(lines)


def _columns(places: Sequence[Place]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in places], [partition for _, partition in places]


async def prepare(dsn: str) -> Migrated:
    """Bring the tables up to date; see `schema.migrate`, which blocks."""
    return await asyncio.to_thread(migrate, dsn)
