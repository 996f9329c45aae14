"""The service: reads the bus, keeps the alerts, has people told, for ever.

Theory of operation. Three things outlast a process: the alerts topic, the committed
position, and what routes have taken. A turn of the service changes them in this order:
what was decided and what routes took goes to the topic and is acknowledged; then the
position is committed; then routes are told. A kill may come between any two of these,
or between two records of the first. What the next process finds:

- Records not written: the position is not beyond what they were decided on, so that is
  read and decided on again, with the same times and ids.
- Records written, position not committed: each says up to where it was decided; what is
  read again before that changes nothing (`alerts`).
- Written and committed, not told: the record says who was not told (`memory`).
- Told, not noted: it is told again with the same id. What a route may know of though
  its record does not say so is taken as known: its end is told before anything newer.

A beginning and the end before it are one record, the last of its key, so compaction
takes nothing that is owed. Before anything is written or told the group is asked
whether the partitions are still ours, by committing once more what is committed: an
instance that lost them while it stood still writes and tells nothing of them.

A fault of Kafka, a rebalance and new rules all lead to `restore`. Time passes for a
partition only while nothing on it is unread: an alert must not fire because a record
that clears it has not been read yet.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import aiohttp
import structlog
from tenacity import RetryCallState

from balance_alerting.alerts import Alerts
from balance_alerting.engine import Engine
from balance_alerting.restore import (
    COMMITTED,
    FOLLOWED,
    IN_FLIGHT,
    READ,
    SERVICE,
    Place,
    Restorer,
    read,
    take,
)
from balance_alerting.rules import TransitOlderThan
from balance_alerting.rules_file import Rules
from balance_alerting.transit import LateWatch
from balance_schemas.keys import account_key
from balance_schemas.records import Alert
from balance_schemas.topics import ALERTS, EVENTS, LATEST
from balance_shared import telemetry
from balance_shared.clock import Clock, SystemClock
from balance_shared.errors import BusInterrupted
from balance_shared.kafka import (
    Consumer,
    Incoming,
    Outgoing,
    Producer,
    Reader,
    Watch,
    apply_topics,
    outgoing,
)
from balance_shared.kafka.consumer import Positions
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.sessions import for_ever
from balance_shared.settings import AlertingSettings

REGISTRY_PATIENCE_S = 10.0
"""How long a schema is asked for before the session is given up, in seconds."""

WAIT_S = 0.1
"""How long a batch is waited for, in seconds: people are told this often."""

DRAIN_S_MAX = 3.0
"""How long routes, and then Kafka, may take when the service stops, in seconds."""

Batch = dict[Place, list[Incoming]]

log = structlog.get_logger(__name__)


async def run(
    settings: AlertingSettings, parts: Parts, clock: Clock | None = None
) -> None:
    """Alert until cancelled.

    Args:
        settings: where Kafka and the registry are, and the rules file.
        parts: told about ``kafka``, ``alerts`` (they are restored), ``rules`` (the file
            in place is the one in use) and each route.
        clock: for tests; else the machine's.

    Raises:
        SettingsError: the rules file cannot be used at the start.
        PublishError: Kafka refuses us.
    """
    parts.not_ready("kafka", "starting")
    parts.not_ready("alerts", "starting")
    async with _rules_in_use(settings.alerting_rules_file, parts, clock) as rules:
        topics = [*FOLLOWED, LATEST, ALERTS]
        await apply_topics(settings, topics=topics, correct=False)
        async for attempt in for_ever(parts, "alerts"):
            with attempt:
                await _session(settings, parts, rules, attempt.retry_state)


@asynccontextmanager
async def _rules_in_use(
    path: Path, parts: Parts, clock: Clock | None
) -> AsyncIterator[Rules]:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        rules = Rules(path, session, parts, clock or SystemClock())
        await rules.load()
        loop.add_signal_handler(signal.SIGHUP, rules.look_now)
        try:
            yield rules
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            await rules.couriers.stop()


async def _session(
    settings: AlertingSettings, parts: Parts, rules: Rules, state: RetryCallState
) -> None:
    """Connect to everything and alert until something fails."""
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(
            Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S)
        )
        producer = await stack.enter_async_context(
            Producer(settings, registry, [ALERTS])
        )
        alerting = Alerting(settings, registry, producer, rules, parts)
        stack.push_async_callback(alerting.stop)
        consumer = Consumer(
            settings,
            registry,
            FOLLOWED,
            group=f"{settings.topic_prefix}.alerting",
            positions=alerting.assigned,
        )
        await stack.enter_async_context(consumer)
        parts.ready("kafka")
        state.attempt_number = 1  # connected: the next fault backs off from the start
        await alerting.run(consumer)


class _GivenAnewError(Exception):
    """The partitions, or the rules, are others than those that were restored."""


class Alerting:
    """Alerts on what one consumer reads.

    Args:
        settings: the topics' prefix.
        registry: where schemas come from.
        producer: of alerts.
        rules: in use.
        parts: told whether Kafka answers and the alerts are restored.
        reader_of: what reads topics beside the group; for tests.
    """

    def __init__(
        self,
        settings: AlertingSettings,
        registry: Registry,
        producer: Producer,
        rules: Rules,
        parts: Parts,
        reader_of: type[Reader] = Reader,
    ) -> None:
        prefix = settings.topic_prefix
        self._reader_of = reader_of
        self._settings = settings
        self._topics = {topic.full_name(prefix): topic for topic in FOLLOWED}
        self._committed = {topic.full_name(prefix) for topic in COMMITTED}
        self._events = EVENTS.full_name(prefix)
        self._registry = registry
        self._producer = producer
        self._late: LateWatch | None = None
        self._rules = rules
        self._parts = parts
        self._partitions: set[int] = set()
        self._kept: dict[Place, int] = {}
        self._restored_for: tuple[int, int] | None = None
        self._assignments = 0
        self._engines: dict[int, Engine] = {}
        self._shown: set[tuple[str, str]] = set()

    async def assigned(self, places: list[Place]) -> Positions:
        """Note which partitions are ours; called by the consumer."""
        self._partitions = {partition for _, partition in places}
        self._assignments += 1
        await self._rules.couriers.recall()
        return {}

    async def run(self, consumer: Consumer) -> None:
        """Read on, for ever."""
        try:
            await self._follow(consumer)
        except asyncio.CancelledError:
            await self._drain(consumer)
            raise

    async def _drain(self, consumer: Consumer) -> None:
        """Write down who was told of what before the process ends."""
        await self._rules.couriers.settle(DRAIN_S_MAX)
        if not self._in_use():
            return
        self._rules.couriers.note(self._alerts())
        with suppress(TimeoutError, BusInterrupted, _GivenAnewError):
            async with asyncio.timeout(DRAIN_S_MAX):
                await self._publish(consumer)

    async def _follow(self, consumer: Consumer) -> None:
        watch = Watch(SERVICE, consumer, self._parts)
        async for batch in consumer.batches(wait_s=WAIT_S):
            await self.turn(consumer, batch)
            await watch.look()

    async def turn(self, consumer: Consumer, batch: Batch) -> None:
        """Take a batch, write what follows, commit, and have people told.

        Raises:
            BusInterrupted: Kafka failed in a way that passes, or the partitions went to
                somebody else.
        """
        await self._rules.look()
        with suppress(_GivenAnewError):  # the next turn restores
            if not self._in_use():
                await self._restore(consumer)
                batch = {}  # it was read from before
            await self._take(batch)
            await self._pass_time(consumer)
            self._rules.couriers.note(self._alerts())
            await self._publish(consumer)
            await self._commit(consumer, self._reached(batch))
            ask = partial(self._commit, consumer, self._kept)
            await self._rules.couriers.hand_over(self._alerts(), ask)
            self._show()

    def _in_use(self) -> bool:
        """Return whether the engines are of the partitions and rules that we have."""
        return self._restored_for == (self._assignments, self._rules.version)

    async def stop(self) -> None:
        """Let go of what was connected beside the consumer, and tell nothing more."""
        await self._rules.couriers.recall()
        await self._let_go()

    async def _let_go(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            await late.stop()

    def _alerts(self) -> list[Alerts]:
        late = [self._late.alerts] if self._late else []
        return [engine.alerts for engine in self._engines.values()] + late

    async def _restore(self, consumer: Consumer) -> None:
        self._parts.not_ready("alerts", "reading the topics")
        await self._rules.couriers.recall()
        started, wanted = time.perf_counter(), (self._assignments, self._rules.version)
        now = self._rules.clock.now()
        ruleset = self._rules.ruleset
        prefix = self._settings.topic_prefix
        restorer = Restorer(prefix, ruleset, self._registry, consumer, now)
        async with self._reader_of(self._settings, READ) as reader:
            restored = await restorer.run(reader, self._partitions)
        self._engines = restored.engines
        await self._let_go()
        on_transfers = any(isinstance(one, TransitOlderThan) for one in ruleset.rules)
        if on_transfers and 0 in self._partitions:
            self._late = LateWatch(self._settings, self._registry, ruleset)
            await self._late.start(now)
        await consumer.seek(restored.positions)
        self._kept = {
            place: offset
            for place, offset in restored.positions.items()
            if place[0] in self._committed
        }
        self._restored_for = wanted
        await self._commit(consumer, self._kept)
        await self._publish(consumer)
        self._parts.ready("alerts")
        seconds = round(time.perf_counter() - started, 3)
        log.info("alerts_restored", partitions=len(self._engines), seconds=seconds)

    async def _take(self, batch: Batch) -> None:
        for (name, partition), records in batch.items():
            started = time.perf_counter()
            engine = self._engines[partition]
            for incoming in records:
                record = await read(self._registry, self._topics[name], incoming)
                take(engine, record, incoming)
            _count(name, partition, records, time.perf_counter() - started)

    async def _pass_time(self, consumer: Consumer) -> None:
        """Let time pass where nothing is unread."""
        lags = await consumer.lag()
        now = self._rules.clock.now() - IN_FLIGHT
        for partition, engine in self._engines.items():
            if lags.get((self._events, partition)) == 0:
                engine.tick(now)
        if self._late is not None:
            await self._late.look(now)

    async def _publish(self, consumer: Consumer) -> None:
        now_ms = int(self._rules.clock.now().timestamp() * 1000)
        records = [
            _outgoing(alert, now_ms)
            for alerts in self._alerts()
            for alert in alerts.take_records()
        ]
        if records:
            await self._commit(consumer, self._kept)  # refused if they are not ours
            await self._producer.publish(records)

    async def _commit(self, consumer: Consumer, positions: Positions) -> None:
        await consumer.commit(positions)
        if not self._in_use():
            raise _GivenAnewError
        self._kept |= positions

    def _reached(self, batch: Batch) -> Positions:
        return {
            place: records[-1].offset + 1
            for place, records in batch.items()
            if records and place[0] in self._committed
        }

    def _show(self) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        for alerts in self._alerts():
            counts.update(alerts.counts())
        for rule in self._rules.ruleset.rules:
            counts.setdefault((rule.name, rule.severity), 0)
        for labels in self._shown - counts.keys():
            telemetry.ALERTS_FIRING.remove(*labels)
        for labels, number in counts.items():
            telemetry.ALERTS_FIRING.labels(*labels).set(number)
        self._shown = set(counts)


def _outgoing(alert: Alert, now_ms: int) -> Outgoing:
    account = account_key(alert.labels["venue"], alert.labels["account"])
    return outgoing(ALERTS, account, alert, now_ms)


def _count(topic: str, partition: int, records: list[Incoming], seconds: float) -> None:
    if not records:
        return
    age = max(0.0, time.time() - records[-1].time_ms / 1000)
    telemetry.RECORDS_CONSUMED.labels(SERVICE, topic).inc(len(records))
    telemetry.RECORD_SECONDS.labels(SERVICE, topic).observe(seconds)
    telemetry.CONSUMER_LAG_SECONDS.labels(SERVICE, topic, str(partition)).set(age)
