"""PostgreSQL: positions, and batches stored in one transaction with them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from balance_schemas.records import BalanceEvent
from balance_shared.errors import SettingsError
from balance_storage import facts, sql
from balance_storage.chain import End, chained
from balance_storage.facts import Head
from balance_storage.lines import Beside, Numbers, Place, lines
from balance_storage.rows import Row, Statement
from balance_storage.schema import Migrated, migrate

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

ROWS_AT_ONCE = 250
"""How many rows are made before they are sent: PostgreSQL reads while we make more."""


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
        connection: open, with the session's settings.
    """

    def __init__(self, dsn: str, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        self._dsn = dsn
        self._connection = connection
        self._months: set[datetime] = set()
        self._numbers = Numbers()

    @classmethod
    @asynccontextmanager
    async def connect(cls, dsn: str) -> AsyncIterator["Database"]:
        """Connect; psycopg's errors of `FAULTS` mean: try again."""
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute(sql.SESSION)
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
            return {(topic, at): offset async for topic, at, offset, _ in cursor}

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
            ValueError: a row is not of the stretch between the two.
            PositionsMoved: the stored positions are not those of `before`. Read them
                again and go on there.
        """
        _check(batch, before, after)
        places = sorted(after)
        columns = _columns(places)
        await self._make_partitions(
            facts.months([row.placed.event.received_at for row in batch])
        )
        async with self._connection.transaction():
            cursor = await self._connection.execute(sql.LOCKED_POSITIONS, columns)
            found = {}
            async for topic, at, offset, place_id in cursor:
                found[topic, at] = offset
                self._numbers.places[topic, at] = place_id
            if found != {place: before[place] for place in places}:
                raise PositionsMoved
            told = {row.key: row.placed.event for row in batch}
            numbers = await self._numbered(cursor, told)
            if batch:
                await _store_events(cursor, batch, told.keys(), numbers)
            for statement, values in others:
                await cursor.execute(statement, values)
            offsets = [after[place] for place in places]
            await cursor.execute(sql.ADVANCE, (*columns, offsets))
        self._numbers = numbers

    async def _numbered(
        self, cursor: Cursor, events: Mapping[str, BalanceEvent]
    ) -> Numbers:
        """Return the numbers of balance keys, made where they are missing.

        They are remembered once the transaction is over, as it may be undone.
        """
        known = self._numbers
        missing = sorted(events.keys() - known.balances.keys())
        if not missing:
            return known
        told = [events[key] for key in missing]
        owners = [one.venue for one in told], [one.account for one in told]
        parts = ("subaccount", "wallet", "wallet_id", "asset")
        texts = [[getattr(one, part) for one in told] for part in parts]
        await cursor.execute(sql.NEW_ACCOUNTS, owners)
        await cursor.execute(sql.NEW_KEYS, (missing, *owners, *texts))
        await cursor.execute(sql.KEYS, (missing,))
        balances, accounts = dict(known.balances), dict(known.accounts)
        async for key, balance_id, account_id in cursor:
            balances[key], accounts[key] = balance_id, account_id
        return Numbers(balances, accounts, known.places)

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


def _check(
    batch: Sequence[Row], before: Mapping[Place, int], after: Mapping[Place, int]
) -> None:
    """Refuse rows that the positions do not speak of: they would be stored again."""
    for row in batch:
        at = row.placed
        place = at.topic, at.partition
        if not before[place] <= at.offset < after[place]:
            raise ValueError(f"offset {at.offset} of {at.topic}[{at.partition}]")


async def _store_events(
    cursor: Cursor, batch: Sequence[Row], keys: Collection[str], numbers: Numbers
) -> None:
    """Store what counts of a batch, and what it changes.

    The ends of the accounts' chains are locked before anything is read: an account is
    written by one instance at a time, even while its records lie in two partitions.
    """
    owners = sorted({numbers.accounts[key] for key in keys})
    await cursor.execute(sql.ENDS, (owners,))
    ends = {owner: End(at, link.bytes) async for owner, at, link in cursor}
    known = await _known(cursor, batch)
    heads = await _heads(cursor, {numbers.balances[key]: key for key in keys})
    told = facts.settle(batch, known, heads, datetime.now(UTC))
    beside = Beside()
    making = lines(chained(told, numbers.accounts, ends), numbers, beside)
    async with cursor.copy(sql.COPY_TELLINGS) as copy:
        while text := "".join(islice(making, ROWS_AT_ONCE)):
            await copy.write(text.encode())
    await _copy(cursor, sql.COPY_LINES, beside.movements)
    await _copy(cursor, sql.COPY_IDS, sorted(beside.ids))
    await _merge(cursor, beside)
    chains = [end.link.hex() for end in ends.values()]
    values = list(ends), [end.number for end in ends.values()], chains
    await cursor.execute(sql.MOVE_ENDS, values)


async def _known(cursor: Cursor, batch: Sequence[Row]) -> dict[str, int | None]:
    """Return the digests of ids that are stored, with their live epochs."""
    digests = ",".join(sorted({row.digest for row in batch}))
    await cursor.execute(sql.KNOWN_IDS, (digests,))
    return {digest.hex: epoch for digest, epoch in await cursor.fetchall()}


async def _heads(cursor: Cursor, keys: Mapping[int, str]) -> dict[str, Head]:
    """Return what holds now, by balance key; takes the keys by balance_id."""
    await cursor.execute(sql.HEADS, (_joined(sorted(keys)),))
    found = await cursor.fetchall()
    return {keys[at]: Head(epoch, time) for at, epoch, time in found}


async def _copy(cursor: Cursor, statement: LiteralString, made: Iterable[str]) -> None:
    if text := "".join(made):
        async with cursor.copy(statement) as copy:
            await copy.write(text.encode())


async def _merge(cursor: Cursor, beside: Beside) -> None:
    """Let what the tellings say hold, and remember who told ids live."""
    if beside.live_epochs:
        epochs = beside.live_epochs
        await cursor.execute(sql.LIVE_EPOCHS, (list(epochs), list(epochs.values())))
    if beside.current:
        owners, numbers, times = zip(*beside.current.values(), strict=True)
        values = _joined(owners), _joined(numbers), min(times), max(times)
        # Never prepared: a plan of when the table was small would be kept.
        await cursor.execute(sql.MERGE, values, prepare=False)


def _joined(numbers: Iterable[int]) -> str:
    """Return numbers as one text, which is read faster than an array of them."""
    return ",".join(map(str, numbers))


def _columns(places: Sequence[Place]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in places], [partition for _, partition in places]


async def prepare(dsn: str) -> Migrated:
    """Bring the tables up to date; see `schema.migrate`, which blocks."""
    return await asyncio.to_thread(migrate, dsn)
