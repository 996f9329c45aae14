"""PostgreSQL: positions, and batches stored in one transaction with them."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Collection,
    Generator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from balance_schemas.records import BalanceEvent
from balance_shared.errors import SettingsError
from balance_storage import facts, sql
from balance_storage.chain import End
from balance_storage.connecting import connected
from balance_storage.drafts import Draft, Ground, drafting, owners
from balance_storage.facts import Head
from balance_storage.lines import Numbers, Place, joined
from balance_storage.rows import Row, Statement
from balance_storage.schema import Migrated, migrate

Cursor = psycopg.AsyncCursor[TupleRow]
T = TypeVar("T")

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


class _Refused(Exception):  # noqa: N818 — says what is
    """A draft stands on what is not so; nothing was written."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records that are stored together with the positions that they move.

    Attributes:
        rows: events, in topic order for each partition.
        before: position of each partition at the start.
        after: likewise, at the end.
        others: what to store of other topics, in order.
        months: first moments of the months in which rows arrived.
    """

    rows: Sequence[Row]
    before: Mapping[Place, int]
    after: Mapping[Place, int]
    others: Sequence[Statement]
    months: Collection[datetime]

    def check(self) -> None:
        """Refuse rows of which the positions do not speak: ValueError.

        They would be stored again.
        """
        for row in self.rows:
            at = row.placed
            place = at.topic, at.partition
            if not self.before[place] <= at.offset < self.after[place]:
                raise ValueError(f"offset {at.offset} of {at.topic}[{at.partition}]")


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
        self._ground = Ground()
        self._drafting = asyncio.Lock()
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def connect(cls, dsn: str) -> AsyncIterator["Database"]:
        """Connect; psycopg's errors of `FAULTS` mean: try again. See `connected`."""
        async with await connected(dsn) as connection:
            await connection.execute(sql.SESSION)
            await connection.commit()
            yield cls(dsn, connection)

    async def positions(self, places: Collection[Place]) -> dict[Place, int]:
        """Return where each partition goes on; 0 for one that was never read.

        Uses a connection of its own: Kafka asks for positions while a batch is being
        written, and must not see what is not committed.
        """
        columns = _columns(sorted(places))
        async with await connected(self._dsn) as connection:
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

        May be called again before it is done: the next batch is drafted while this one
        is stored, and they are stored in the order of the calls.

        Args:
            batch: events, in topic order for each partition; may be empty.
            before: position of each partition as we know it, or as it will be once the
                batches before are stored.
            after: position of each partition once the batch is stored.
            others: what to store of other topics, in order.

        Raises:
            ValueError: a row is not of the stretch between the two.
            PositionsMoved: the stored positions are not those of `before`. Read them
                again and go on there.
        """
        months = facts.months(row.placed.event.received_at for row in batch)
        stretch = Stretch(batch, before, after, others, months)
        stretch.check()
        async with self._drafting:
            ground = self._ground
            if not ground.covers(batch, self._numbers):
                async with self._turn():
                    ground.learn(await self._store_surveyed(stretch))
                return
            steps = drafting(batch, self._numbers, ground, {}, datetime.now(UTC))
            draft = await _with_others(steps)
            ground.advance(draft)
        async with self._turn():
            if ground is not self._ground:
                await self._store_surveyed(stretch)
                return
            try:
                await self._store_drafted(stretch, draft)
            except _Refused:
                self._ground = Ground()
                await self._store_surveyed(stretch)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for the connection; give the ground up if the batch is not stored."""
        async with self._writing:
            stored = False
            try:
                yield
                stored = True
            finally:
                if not stored:
                    self._ground = Ground()

    async def _store_drafted(self, stretch: "Stretch", draft: Draft) -> None:
        """Store a batch as it was drafted; _Refused: it stands on what is not so."""
        async with self._transaction(stretch, list(draft.before)) as (cursor, ends):
            if ends != draft.before:
                raise _Refused
            try:
                await _copy(cursor, sql.COPY_IDS, draft.ids)
            except psycopg.errors.UniqueViolation:
                raise _Refused from None
            await self._complete(cursor, stretch, draft)

    async def _store_surveyed(self, stretch: "Stretch") -> Ground:
        """Store a batch by what PostgreSQL says.

        The ends of the accounts' chains are locked before anything is read: an account
        is written by one instance at a time, even while its records lie in two
        partitions.

        Returns:
            What is so now, of what the batch names: ground for the next, if no other
            was drafted meanwhile.
        """
        found = Ground()
        async with self._transaction(stretch) as (cursor, _):
            told = {row.key: row.placed.event for row in stretch.rows}
            numbers = await self._numbered(cursor, told)
            keys = set(told)
            await cursor.execute(sql.ENDS, (owners(keys, numbers),))
            found.ends = await _ends(cursor)
            known = await _known(cursor, stretch.rows)
            found.heads = await _heads(cursor, {numbers.balances[k]: k for k in keys})
            now = datetime.now(UTC)
            draft = await _with_others(
                drafting(stretch.rows, numbers, found, known, now)
            )
            await _copy(cursor, sql.COPY_IDS, draft.ids)
            await self._complete(cursor, stretch, draft)
        self._numbers = numbers
        found.advance(draft)
        return found

    @asynccontextmanager
    async def _transaction(
        self, stretch: "Stretch", accounts: Sequence[int] = ()
    ) -> AsyncIterator[tuple[Cursor, dict[int, End]]]:
        """Open a transaction that holds the positions, and the ends of accounts."""
        await self._make_partitions(stretch.months)
        places = sorted(stretch.after)
        connection = self._connection
        async with connection.transaction():
            async with connection.pipeline():  # one round trip for both
                held = await connection.execute(sql.LOCKED_POSITIONS, _columns(places))
                cursor = await connection.execute(sql.ENDS, (list(accounts),))
            found = {}
            async for topic, at, offset, place_id in held:
                found[topic, at] = offset
                self._numbers.places[topic, at] = place_id
            if found != {place: stretch.before[place] for place in places}:
                raise PositionsMoved
            yield cursor, await _ends(cursor)

    async def _complete(self, cursor: Cursor, stretch: "Stretch", draft: Draft) -> None:
        """Store what follows the new ids, and move ends and positions."""
        await _copy(cursor, sql.COPY_TELLINGS, draft.tellings)
        epochs, ends = draft.beside.live_epochs, draft.after.values()
        moved = [end.number for end in ends], [end.link.hex() for end in ends]
        places = sorted(stretch.after)
        offsets = [stretch.after[place] for place in places]
        async with self._connection.pipeline():  # one round trip for all
            if epochs:
                values = list(epochs), list(epochs.values())
                await cursor.execute(sql.LIVE_EPOCHS, values)
            if draft.holding:
                # Never prepared: a plan of when the table was small would be kept.
                await cursor.execute(sql.MERGE, draft.holding, prepare=False)
            if ends:
                await cursor.execute(sql.MOVE_ENDS, (list(draft.after), *moved))
            for statement, values in stretch.others:
                await cursor.execute(statement, values)
            await cursor.execute(sql.ADVANCE, (*_columns(places), offsets))

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
        async with self._turn():
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


async def _with_others(steps: Generator[None, None, T]) -> T:
    """Return the value of a generator; others go on between its steps."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return cast("T", done.value)
        await asyncio.sleep(0)


async def _ends(cursor: Cursor) -> dict[int, End]:
    """Return where the chains of accounts end, as `sql.ENDS` gives them."""
    return {owner: End(at, link.bytes) async for owner, at, link in cursor}


async def _known(cursor: Cursor, batch: Sequence[Row]) -> dict[str, int | None]:
    """Return the digests of ids that are stored, with their live epochs."""
    digests = ",".join(sorted({row.digest for row in batch}))
    await cursor.execute(sql.KNOWN_IDS, (digests,))
    return {digest.hex: epoch for digest, epoch in await cursor.fetchall()}


async def _heads(cursor: Cursor, keys: Mapping[int, str]) -> dict[str, Head | None]:
    """Return what holds now, by balance key; takes the keys by balance_id."""
    await cursor.execute(sql.HEADS, (joined(sorted(keys)),))
    heads: dict[str, Head | None] = dict.fromkeys(keys.values())
    for at, epoch, time in await cursor.fetchall():
        heads[keys[at]] = Head(epoch, time)
    return heads


async def _copy(cursor: Cursor, statement: LiteralString, made: bytes) -> None:
    if made:
        async with cursor.copy(statement) as copy:
            await copy.write(made)


def _columns(places: Sequence[Place]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in places], [partition for _, partition in places]


async def prepare(dsn: str) -> Migrated:
    """Bring the tables up to date and see that we may write to them.

    See `schema.migrate`, which blocks.
    """
    return await asyncio.to_thread(migrate, dsn, writes=True)
