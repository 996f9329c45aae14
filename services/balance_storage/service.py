"""The service: reads topics from Kafka and stores them, for ever.

Theory of operation. Positions live in PostgreSQL, beside the rows that they stand for,
and move in the same transaction; Kafka's own group offsets are not used. The group only
shares the partitions among instances. During a rebalance two instances may hold the
same partition for a moment: the one that commits second finds the position moved,
rolls back, reads it again and goes on there. Dead letters are published before the
position moves, so a crash in between repeats a letter but never loses one.

When it starts, the service brings the tables up to date under an advisory lock: the
first instance does it, others that start meanwhile wait. A user who may not do so needs
tables that are up to date (``balancebus storage migrate``, run by their owner) and the
role ``balancebus_writer``. Tables that cannot be used end the program in one clear
line. Partitions are made ahead and dropped at the start and once a day.

While a batch is stored, the next is read, decoded and drafted (see `drafts`); at most
two are on their way. Its positions are those that the one before will leave, and the
database compares them when its turn comes: where that one failed, it is not stored
either. The positions that are known here are always those of the next record that Kafka
gives. So a batch that was in hand when partitions were assigned anew is dropped: Kafka
gives its records again, from the positions that were told then.

Any fault of Kafka, registry or database ends the session (all connections) and a new
one is begun after a back-off, from what the database says. `Lag` lives through all of
them: what waits is shown while nothing is stored, too.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

import psycopg
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from balance_schemas.records import BalanceEvent
from balance_schemas.topics import DEAD_LETTERS, EVENTS, FRAMES, Topic
from balance_shared import telemetry
from balance_shared.errors import BusInterrupted, PublishError, RecordInvalid
from balance_shared.kafka import (
    INVALID_RECORD,
    Consumer,
    Outgoing,
    Producer,
    Watch,
    apply_topics,
    dead_letter,
)
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import StorageSettings
from balance_storage import others, rows
from balance_storage.database import (
    FAULTS,
    Database,
    PositionsMoved,
    checked_dsn,
    prepare,
)
from balance_storage.lag import Lag
from balance_storage.lines import Place

HOUSEKEEPING_S = 24 * 3600.0
"""How often partitions are made ahead and dropped, in seconds."""

BACK_OFF_S_MAX = 5.0
"""Longest wait between two tries, in seconds."""

REGISTRY_PATIENCE_S = 10.0
"""How long a schema is asked for before the session is given up, in seconds."""

BATCH_RECORDS = 10_000
"""Most records of one transaction: what holds then is merged once for all of them."""

RECORDS_AT_ONCE = 10
"""How many records are decoded, about half a millisecond, before others may go on."""

log = structlog.get_logger(__name__)


async def run(
    settings: StorageSettings, parts: Parts, group: str | None = None
) -> None:
    """Store events until cancelled.

    Args:
        settings: where Kafka, registry and PostgreSQL are.
        parts: told about ``database`` and ``kafka``.
        group: shares the partitions among instances that store in one database; None:
            ``<prefix>.storage``.

    Raises:
        SettingsError: the DSN cannot be read, or the tables cannot be used, or not any
            more.
        PublishError: Kafka refuses us, or the topic is shorter than what is stored.
    """
    parts.not_ready("database", "starting")
    parts.not_ready("kafka", "starting")
    dsn = checked_dsn(settings.postgres_dsn.get_secret_value())
    async for attempt in _for_ever(parts):
        with attempt:
            done = await prepare(dsn)
            if done.before != done.after:
                log.info("database_migrated", before=done.before, after=done.after)
            if done.notice:
                log.warning("roles_missing", todo=done.notice)
    await apply_topics(
        settings, topics=[*read_topics(settings), DEAD_LETTERS], correct=False
    )
    lag = Lag(settings, read_topics(settings))
    async with lag.watched():
        async for attempt in _for_ever(parts):
            with attempt:
                try:
                    await _session(
                        settings, dsn, parts, lag, attempt.retry_state, group
                    )
                except psycopg.ProgrammingError:
                    await prepare(dsn)  # which says whose tables or rights they are
                    raise


def read_topics(settings: StorageSettings) -> list[Topic]:
    """Return the topics that are stored."""
    kept = [one for one in others.TABLES if one != FRAMES or settings.storage_frames]
    return [EVENTS, *kept]


def _for_ever(parts: Parts) -> AsyncRetrying:
    """Return the retry policy; it says which part is to blame and writes it down."""

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        part = "database" if isinstance(error, FAULTS) else "kafka"
        why = " ".join(f"{type(error).__name__}: {error}".split())
        parts.not_ready(part, why)
        log.warning("interrupted", part=part, error=why)

    return AsyncRetrying(
        wait=wait_random_exponential(multiplier=0.2, max=BACK_OFF_S_MAX),
        retry=retry_if_exception_type((*FAULTS, BusInterrupted)),
        before_sleep=note,
        reraise=True,
    )


async def _session(
    settings: StorageSettings,
    dsn: str,
    parts: Parts,
    lag: Lag,
    state: RetryCallState,
    group: str | None,
) -> None:
    """Connect to everything and store until something fails."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.connect(dsn))
        registry = await stack.enter_async_context(
            Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S)
        )
        producer = await stack.enter_async_context(
            Producer(settings, registry, [DEAD_LETTERS])
        )
        storage = Storage(settings, database, producer, parts, lag)
        consumer = Consumer(
            settings,
            registry,
            read_topics(settings),
            group=group or f"{settings.topic_prefix}.storage",
            positions=storage.assigned,
        )
        await stack.enter_async_context(consumer)
        parts.ready("kafka")
        state.attempt_number = 1  # connected: the next fault backs off from the start
        await storage.run(consumer)


@dataclass(slots=True)
class _Read:
    """What became of a batch: rows of events, statements for the rest, letters."""

    events: list[rows.Row] = field(default_factory=list)
    others: list[rows.Statement] = field(default_factory=list)
    letters: list[Outgoing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Storing:
    """A batch on its way: its records, when that began, and who stores it."""

    batch: rows.Batch
    started: float
    task: asyncio.Task[None]


class Storage:
    """Stores what one consumer reads.

    Args:
        settings: which topics, and how long rows are kept.
        database: connected.
        producer: for dead letters.
        parts: told whether Kafka answers, and that the database takes what is due.
        lag: told what is stored.
    """

    def __init__(
        self,
        settings: StorageSettings,
        database: Database,
        producer: Producer,
        parts: Parts,
        lag: Lag,
    ) -> None:
        self._retention_days = settings.storage_retention_days
        prefix = settings.topic_prefix
        self._topics = {one.full_name(prefix): one for one in read_topics(settings)}
        self._compacted = {
            name for name, one in self._topics.items() if one.cleanup == "compact"
        }
        self._kept_house_at = -HOUSEKEEPING_S
        self._database = database
        self._producer = producer
        self._parts = parts
        self._lag = lag
        self._positions: dict[Place, int] = {}
        self._assigned = False
        self._assignments = 0
        self._on_their_way: deque[_Storing] = deque()

    async def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        """Return where newly assigned partitions go on; called by the consumer.

        If the database fails here, no position is known, and `run` asks again before
        it stores anything.
        """
        self._assigned = False
        self._assignments += 1
        self._positions.clear()
        self._positions.update(await self._database.positions(places))
        self._lag.assigned(self._positions)
        self._assignments += 1
        self._assigned = True
        return dict(self._positions)

    async def run(self, consumer: Consumer) -> None:
        """Store batches for ever."""
        watch = Watch(rows.SERVICE, consumer, self._parts)
        try:
            async for batch in consumer.batches(BATCH_RECORDS):
                await self._next(consumer, batch)
                if (lags := await watch.look()) is not None:
                    self._lag.shown(lags)
        finally:
            tasks = [one.task for one in self._on_their_way]
            for task in tasks:
                task.cancel()
            # What goes wrong with these is what ends us, or follows from it.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self, consumer: Consumer, batch: rows.Batch) -> None:
        """Begin to store what has come; wait for what came before."""
        assignments = self._assignments
        await self._keep_house()
        if assignments != self._assignments:
            return
        if unknown := batch.keys() - self._positions.keys():
            await self._settled(consumer, 0)
            await self._go_back(consumer, unknown)
        elif due := await self._due(consumer, batch):
            await self._store(consumer, due, assignments)
        else:
            await self._settled(consumer, 0)
            if self._assigned:  # what was due is stored: a full disk answers, too
                self._parts.ready("database")

    async def _keep_house(self) -> None:
        """Make partitions ahead and drop old ones, once a day."""
        now = time.monotonic()
        if now - self._kept_house_at < HOUSEKEEPING_S:
            return
        dropped = await self._database.keep_partitions(self._retention_days)
        self._kept_house_at = now
        if dropped:
            log.info("partitions_dropped", count=dropped)

    async def _due(self, consumer: Consumer, batch: rows.Batch) -> rows.Batch:
        """Return the records of a batch that are not stored yet."""
        due = rows.due(batch, self._positions)
        for topic, count in rows.missing(due, self._positions, self._compacted).items():
            telemetry.RECORDS_GONE.labels(rows.SERVICE, topic).inc(count)
            log.error("records_gone", topic=topic, count=count)
        if due != batch:
            await self._check_ends(consumer)
        return due

    async def _store(
        self, consumer: Consumer, batch: rows.Batch, assignments: int
    ) -> None:
        """Begin to store records, and wait until those before them are stored."""
        started = time.perf_counter()
        before, after = dict(self._positions), rows.after(batch)
        read = await self._read(consumer, batch)
        await self._publish(read.letters)
        if assignments != self._assignments:
            return
        store = self._database.store(read.events, before, after, read.others)
        task = asyncio.create_task(store)
        self._on_their_way.append(_Storing(batch, started, task))
        self._positions.update(after)
        await self._settled(consumer, 1)

    async def _settled(self, consumer: Consumer, left: int) -> None:
        """Wait until at most so many batches are on their way; go back if one failed.

        Where another instance has moved the positions of one, none that follows it on
        these partitions is stored, and all are read again.
        """
        moved: set[Place] = set()
        while len(self._on_their_way) > (0 if moved else left):
            one = self._on_their_way[0]
            try:
                await one.task
            except PositionsMoved:
                moved |= one.batch.keys()
            else:
                self._lag.taken(one.batch)
                _count(one.batch, time.perf_counter() - one.started)
                if self._assigned:
                    self._parts.ready("database")
            self._on_their_way.popleft()
        if moved:
            log.info("positions_moved", partitions=sorted(at for _, at in moved))
            await self._go_back(consumer, moved)

    async def _read(self, consumer: Consumer, batch: rows.Batch) -> "_Read":
        """Return what is to be stored and the letters for what cannot be read."""
        read = _Read()
        for number, incoming in enumerate(chain.from_iterable(batch.values())):
            if number % RECORDS_AT_ONCE == 0:
                await asyncio.sleep(0)  # PostgreSQL waits for the rows of those before
            topic = self._topics[incoming.topic]
            if incoming.value is None and topic.cleanup == "compact":
                continue  # the topic forgets a key; the table remembers it
            place = incoming.topic, incoming.partition, incoming.offset
            try:
                if topic == EVENTS:
                    event = await consumer.decode(BalanceEvent, incoming)
                    read.events.append(rows.row_of(rows.Placed(event, *place)))
                else:
                    record = await consumer.decode(topic.record, incoming)
                    read.others += others.statements(topic, record, place)
            except RecordInvalid as error:
                now = datetime.now(UTC)
                read.letters.append(dead_letter(incoming, error, rows.SERVICE, now))
        return read

    async def _publish(self, letters: list[Outgoing]) -> None:
        if letters:
            await self._producer.publish(letters)
            counted = telemetry.DEAD_LETTERS.labels(rows.SERVICE, INVALID_RECORD)
            counted.inc(len(letters))

    async def _go_back(self, consumer: Consumer, places: Collection[Place]) -> None:
        """Read on from what the database says."""
        positions = await self._database.positions(places)
        self._positions.update(positions)
        self._lag.moved(positions)
        await consumer.seek(positions)

    async def _check_ends(self, consumer: Consumer) -> None:
        """Refuse a topic that ends before what is stored of it: it was made anew.

        Raises:
            PublishError: its new records would be taken for stored ones.
        """
        for place, end in (await consumer.end()).items():
            stored = self._positions.get(place, 0)
            if end < stored:
                raise PublishError(
                    f"{place[0]}[{place[1]}] ends at {end}, but {stored} records of it "
                    "are stored: the topic was made anew. Take a new TOPIC_PREFIX or "
                    "a new database."
                )


def _count(batch: rows.Batch, seconds: float) -> None:
    for (topic, _), records in batch.items():
        telemetry.RECORDS_CONSUMED.labels(rows.SERVICE, topic).inc(len(records))
    telemetry.RECORD_SECONDS.labels(rows.SERVICE, topic).observe(seconds)
