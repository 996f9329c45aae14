"""PostgreSQL: positions, and batches stored in one transaction with them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from balance_shared.errors import SettingsError
from balance_storage import sql
from balance_storage.schema import migrate

Place = tuple[str, int]
"""(topic, partition)."""

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
        copy: bytes,
        before: Mapping[Place, int],
        after: Mapping[Place, int],
    ) -> None:
        """Store a batch and move the positions, both or neither.

        Args:
            copy: lines of `rows.copy_line`; may be empty.
            before: position of each partition as we know it.
            after: position of each partition once the batch is stored.

        Raises:
            PositionsMoved: the stored positions are not those of `before`. Read them
                again and go on there.
        """
        places = sorted(after)
        columns = _columns(places)
        async with self._connection.transaction():
            cursor = await self._connection.execute(sql.LOCKED_POSITIONS, columns)
            found = {(topic, at): offset async for topic, at, offset in cursor}
            if found != {place: before[place] for place in places}:
                raise PositionsMoved
            if copy:
                async with cursor.copy(sql.COPY) as lines:
                    await lines.write(copy)
                await cursor.execute(sql.MERGE)
            offsets = [after[place] for place in places]
            await cursor.execute(sql.ADVANCE, (*columns, offsets))


def _columns(places: Sequence[Place]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in places], [partition for _, partition in places]


async def prepare(dsn: str) -> tuple[str | None, str]:
    """Bring the tables up to date; see `schema.migrate`, which blocks."""
    return await asyncio.to_thread(migrate, dsn)
