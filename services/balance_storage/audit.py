"""Reading PostgreSQL and Kafka for `balance_storage.verify`, which decides.

PostgreSQL is read in one snapshot, taken first: what Kafka says later can only be more.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from balance_schemas.decimals import plain
from balance_schemas.keys import owner_of
from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS, LATEST, Topic
from balance_shared.errors import BusInterrupted, RecordInvalid, SettingsError
from balance_shared.kafka import Consumer, Incoming, answering
from balance_shared.registry import Registry
from balance_shared.settings import StorageSettings
from balance_storage import rows, sql
from balance_storage.chain import End
from balance_storage.connecting import connected
from balance_storage.database import Cursor, checked_dsn
from balance_storage.lines import Place, read_lines
from balance_storage.others_audit import TOPICS, OthersAudit
from balance_storage.rows import NULL, Placed
from balance_storage.verify import (
    ChainCheck,
    Indexed,
    Kind,
    Known,
    OnLatest,
    Report,
    Stored,
    judge,
    judge_latest,
)

ROWS_AT_ONCE = 10_000
"""How many rows are read at once."""

KAFKA_PATIENCE_S = 30.0
"""How long Kafka may take to answer, or to give more of what it has, in seconds."""

REGISTRY_PATIENCE_S = 10.0
"""How long a schema is asked for, in seconds."""

Progress = Callable[[str, int, int], None]
"""Told what is walked, how far, and of how many."""

_BEFORE_ALL = -(2**31) - 1
"""Less than any account_id there can be."""

Names = dict[int, str]
"""account_id → ``venue|account``."""

_ABSENT = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)


async def audit(settings: StorageSettings, progress: Progress) -> Report:
    """Compare PostgreSQL with itself and with Kafka.

    Args:
        settings: where both are; the role balancebus_reader suffices.
        progress: called now and then.

    Raises:
        SettingsError: the database has no such tables, or we may not read them.
        psycopg.OperationalError: the database cannot be reached.
        BusInterrupted: Kafka does not answer.
    """
    report = Report()
    async with (
        _snapshot(settings) as cursor,
        Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S) as registry,
    ):
        positions = await _positions(cursor)
        names = await _walk_chains(cursor, report, progress)
        await _compare_tables(cursor, names, report)
        beside = OthersAudit(cursor, settings.topic_prefix, positions, report)
        latest = await _latest(settings, registry, beside, progress)
        await _walk_topic(settings, registry, cursor, positions, report, progress)
        await cursor.execute(sql.HELD)
        held = {row[0]: OnLatest(*row[1:]) async for row in cursor}
        judge_latest(latest, held, datetime.now(UTC), report)
    return report


@asynccontextmanager
async def _snapshot(settings: StorageSettings) -> AsyncIterator[Cursor]:
    dsn = checked_dsn(settings.postgres_dsn.get_secret_value())
    async with await connected(dsn, autocommit=True) as database:
        await database.execute(sql.READER)
        await database.execute(sql.VERIFIED)
        try:
            yield database.cursor()
        except _ABSENT as error:
            raise SettingsError(
                "BALANCEBUS_POSTGRES_DSN: this database has no tables of this "
                "version: run `balancebus storage migrate`"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SettingsError(
                f"BALANCEBUS_POSTGRES_DSN: {error.diag.message_primary}: "
                "GRANT balancebus_reader to this user"
            ) from error


async def _positions(cursor: Cursor) -> dict[Place, int]:
    await cursor.execute(sql.ALL_POSITIONS)
    return {(topic, at): offset async for topic, at, offset in cursor}


async def _walk_chains(cursor: Cursor, report: Report, progress: Progress) -> Names:
    """Walk all rows there are, in the order of their chains."""
    await cursor.execute(sql.STARTS)
    starts: dict[int, dict[int, bytes]] = {}
    async for account_id, number, link in cursor:
        starts.setdefault(account_id, {})[number] = link.bytes
    names, checks, total = Names(), dict[int, ChainCheck](), 0
    await cursor.execute(sql.ALL_ENDS)
    async for account_id, venue, account, number, link in cursor:
        name = names[account_id] = f"{venue}|{account}"
        report.of(name)
        end = None if number is None else End(number, link.bytes)
        if end is None:
            report.add(Kind.MISSING, name, _no_account(account_id))
        checks[account_id] = ChainCheck(name, starts.get(account_id, {}), end, report)
        total += number or 0
    done, account_id = 0, _BEFORE_ALL
    while (account_id := await _next_account(cursor, account_id)) is not None:
        async for some in _stretches(cursor, account_id):
            if account_id not in checks:
                name = names[account_id] = some[0].owner
                report.add(Kind.MISSING, name, _no_account(account_id))
                checks[account_id] = ChainCheck(name, {}, End(), report)
            checks[account_id].take(some)
            done += len(some)
            progress("rows", done, max(done, total))
    for check in checks.values():
        check.finish()
    return names


def _no_account(account_id: int) -> str:
    return f"account_id {account_id} in the table of accounts"


async def _next_account(cursor: Cursor, after: int) -> int | None:
    await cursor.execute(sql.NEXT_ACCOUNT, (after,))
    found = await cursor.fetchone()
    return found[0] if found else None


async def _stretches(cursor: Cursor, account_id: int) -> AsyncIterator[list[Stored]]:
    """Yield all rows of an account in order, with their ledger lines."""
    at, known = sql.FIRST_PLACE, 0
    while texts := await _copied(
        cursor, sql.READ_LINES, (account_id, *at, ROWS_AT_ONCE, known)
    ):
        found = [text.split("\t", 4) for text in texts]
        yield [
            Stored(int(number), _bytes(link), line, read_lines(lines))
            for number, _, link, lines, line in found
        ]
        at, known = (found[-1][0], found[-1][1]), 1


async def _copied(
    cursor: Cursor, query: LiteralString, values: tuple[Any, ...]
) -> list[str]:
    async with cursor.copy(query, values) as copy:
        blocks = [bytes(block) async for block in copy]
    return b"".join(blocks).decode().split("\n")[:-1]


def _bytes(link: str) -> bytes:
    return bytes.fromhex(link.replace("-", ""))


async def _compare_tables(cursor: Cursor, names: Names, report: Report) -> None:
    await cursor.execute(sql.WRONG_ACCOUNTS)
    async for venue, account, account_id, *held, count in cursor:
        where = f"account_id {account_id} is {'|'.join(held)} in the table of accounts"
        report.add(Kind.CHANGED, f"{venue}|{account}", f"{where}: {count} keys differ")
    await cursor.execute(sql.WRONG_IDS)
    async for account_id, *parts in cursor:
        report.add(Kind.ID, names.get(account_id, ""), str(Indexed(*parts)))
    await cursor.execute(sql.WRONG_KEYS)
    async for venue, account, key in cursor:
        report.add(Kind.CHANGED, f"{venue}|{account}", f"the parts of key {key}")
    await cursor.execute(sql.WRONG_HEADS)
    async for venue, account, key, held, told in cursor:
        where = f"{key}: {_shown(held)} is held, {_shown(told)} was told last"
        report.add(Kind.HEAD, f"{venue}|{account}" if venue else "", where)


def _shown(amount: Any) -> str:
    return "nothing" if amount is None else plain(amount)


async def _latest(
    settings: StorageSettings,
    registry: Registry,
    beside: OthersAudit,
    progress: Progress,
) -> dict[str, OnLatest]:
    """Return the record of the greatest epoch of each key on the latest topic.

    The other topics are read along, as each consumer takes a while to start.
    """
    found: dict[str, OnLatest] = {}
    name = LATEST.full_name(settings.topic_prefix)
    topics = LATEST, *TOPICS
    async for consumer, records in _whole(settings, registry, topics, {}, progress):
        await beside.take(consumer, records)
        for incoming in records:
            if incoming.topic != name:
                continue
            try:
                event = await consumer.decode(BalanceEvent, incoming)
            except RecordInvalid:
                continue  # a tombstone, or what its writer has to answer for
            known = found.get(event.key)
            if known is None or event.epoch >= known.epoch:
                found[event.key] = OnLatest.of(event)
    await beside.finish()
    return found


async def _walk_topic(
    settings: StorageSettings,
    registry: Registry,
    cursor: Cursor,
    positions: dict[Place, int],
    report: Report,
    progress: Progress,
) -> None:
    await cursor.execute(sql.HORIZON)
    found = await cursor.fetchone()
    horizon = found[0] if found else None
    name, ends = EVENTS.full_name(settings.topic_prefix), dict[Place, int]()
    async for consumer, records in _whole(settings, registry, [EVENTS], ends, progress):
        told = [row async for row in _readable(consumer, records, positions, report)]
        known = await _known(cursor, told)
        for row in told:
            judge(row, known.get(row.digest), horizon, report)
    for (topic, partition), stored in positions.items():
        end = ends.get((topic, partition), 0)
        if topic == name and end < stored:
            where = f"{topic}[{partition}] ends at {end}, but {stored} is stored"
            report.add(Kind.OTHER, "", where)


async def _readable(
    consumer: Consumer,
    records: Iterable[Incoming],
    positions: dict[Place, int],
    report: Report,
) -> AsyncIterator[rows.Row]:
    """Yield the rows of records that are due to be stored; count the others."""
    for record in records:
        venue, account = owner_of(record.key)
        tally = report.of(f"{venue}|{account}")
        place = record.topic, record.partition
        if record.offset >= positions.get(place, 0):
            tally.lag += 1
            continue
        try:
            event = await consumer.decode(BalanceEvent, record)
            yield rows.row_of(Placed(event, *place, record.offset))
        except RecordInvalid:
            tally.on_topic += 1
            tally.unreadable += 1


async def _known(cursor: Cursor, told: list[rows.Row]) -> dict[str, Known]:
    """Return digest of the id → what is stored of it."""
    if not told:
        return {}
    digests = ",".join(sorted({row.digest for row in told}))
    known = {}
    for text in await _copied(cursor, sql.KNOWN_RECORDS, (digests,)):
        digest, epoch, topic, partition, line = text.split("\t", 4)
        place = topic, int(partition), int(line.partition("\t")[0])
        live_epoch = None if epoch == NULL else int(epoch)
        known[digest.replace("-", "")] = Known(live_epoch, place, line)
    return known


async def _whole(
    settings: StorageSettings,
    registry: Registry,
    topics: Sequence[Topic],
    ends: dict[Place, int],
    progress: Progress,
) -> AsyncIterator[tuple[Consumer, list[Incoming]]]:
    """Yield the records of topics from their start to where they end now.

    Args:
        settings: where Kafka is.
        registry: where the schemas come from.
        topics: to read.
        ends: gets the end of each partition.
        progress: called with each batch.
    """
    left: set[Place] | None = None
    done, heard = 0, time.monotonic()
    async with AsyncExitStack() as stack:
        async with answering(settings, KAFKA_PATIENCE_S):
            consumer = Consumer(settings, registry, topics)
            await stack.enter_async_context(consumer)
        async for batch in consumer.batches():
            if left is None:
                ends.update(await consumer.end())
                left = {place for place, end in ends.items() if end > 0}
            records = [one for some in batch.values() for one in some]
            done += len(records)
            progress(topics[0].name, done, max(done, sum(ends.values())))
            yield consumer, records
            for place, some in batch.items():
                if some[-1].offset + 1 >= ends.get(place, 0):
                    left.discard(place)
            if not records:
                left -= {
                    place for place, lag in (await consumer.lag()).items() if not lag
                }
            if not left:
                return
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > KAFKA_PATIENCE_S:
                where = settings.kafka_bootstrap_servers
                raise BusInterrupted(f"Kafka at {where} does not answer any more")
