"""The service: reads latest, proofs and status from their beginning, sets the gauges.

Nothing is shown before all topics were read to where they ended at the start: half a
history would show balances that have long changed. A fault of Kafka that ends the
consumer begins a new reading; until that is through the last values stay and /readyz
says so.
"""

import time

import structlog
from tenacity import RetryCallState

from balance_metrics.gauges import Gauges
from balance_metrics.proof_gauges import ProofGauges
from balance_metrics.proofs import Proofs
from balance_metrics.state import Series, State
from balance_schemas.records import BalanceEvent, BalanceProof, ConnectorStatus
from balance_schemas.topics import LATEST, PROOFS, STATUS
from balance_shared import telemetry
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Consumer, Incoming, Watch, apply_topics
from balance_shared.kafka.consumer import Positions, R
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.sessions import for_ever
from balance_shared.settings import MetricsSettings

TOPICS = (LATEST, PROOFS, STATUS)

SERVICE = "metrics"
"""Name of this service in metrics."""

REGISTRY_PATIENCE_S = 10.0
"""How long a schema is asked for before reading begins anew, in seconds."""

Place = tuple[str, int]

log = structlog.get_logger(__name__)


async def run(settings: MetricsSettings, parts: Parts) -> None:
    """Keep the gauges up to date until cancelled.

    Args:
        settings: where Kafka and registry are, and which assets have series.
        parts: told about ``kafka`` and ``balances`` (the topics are read).

    Raises:
        PublishError: Kafka refuses us.
    """
    parts.not_ready("kafka", "starting")
    parts.not_ready("balances", "starting")
    await apply_topics(settings, topics=TOPICS, correct=False)
    gauges = Gauges()
    async for attempt in for_ever(parts, "balances"):
        with attempt:
            await _session(settings, parts, gauges, attempt.retry_state)


def allowed_assets(text: str) -> frozenset[str]:
    """Return the assets of a comma-separated list; empty means all."""
    return frozenset(asset.strip() for asset in text.split(",") if asset.strip())


async def _session(
    settings: MetricsSettings, parts: Parts, gauges: Gauges, state: RetryCallState
) -> None:
    async with (
        Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S) as registry,
        Consumer(settings, registry, TOPICS) as consumer,
    ):
        parts.ready("kafka")
        state.attempt_number = 1  # connected: the next fault backs off from the start
        assets = allowed_assets(settings.metrics_assets)
        reader = Reader(consumer, settings.topic_prefix, assets)
        await reader.run(parts, gauges)


class Reader:
    """Folds what one consumer reads.

    Args:
        consumer: of the topics, without a group.
        prefix: of the topics' names.
        assets: assets that have series; empty for all.
    """

    def __init__(self, consumer: Consumer, prefix: str, assets: frozenset[str]) -> None:
        self._consumer = consumer
        self._topics = {topic.full_name(prefix): topic for topic in TOPICS}
        self._state = State(assets)
        self._proofs = Proofs(assets)
        self._proof_gauges = ProofGauges()

    async def run(self, parts: Parts, gauges: Gauges) -> None:
        """Show what is on the topics, for ever."""
        watch = Watch(SERVICE, self._consumer, parts)
        unread = dict(await self._consumer.end())
        caught_up = False
        async for batch in self._consumer.batches():
            touched = await self._take(batch)
            lags = await watch.look() or {}
            if caught_up:
                gauges.show(self._state, touched)
                self._show_proofs()
                continue
            unread = _unread(unread, batch, lags)
            if not unread:
                caught_up = True
                gauges.replace(self._state)
                self._show_proofs()
                parts.ready("balances")

    def _show_proofs(self) -> None:
        """Show what is proven, if anything of it may be another now."""
        if self._proofs.changed:
            self._proof_gauges.show(self._proofs)
            self._proofs.changed = False

    async def _take(self, batch: dict[Place, list[Incoming]]) -> set[Series]:
        """Fold a batch; returns the series whose values may be others now."""
        touched: set[Series] = set()
        for (topic, partition), records in batch.items():
            started = time.perf_counter()
            for incoming in records:
                touched |= await self._fold(incoming)
            _count(topic, partition, records, time.perf_counter() - started)
        return touched

    async def _fold(self, incoming: Incoming) -> set[Series]:
        key, topic = incoming.key or "", self._topics[incoming.topic]
        if topic == LATEST:
            return self._state.take_balance(
                key, await self._read(BalanceEvent, incoming)
            )
        if topic == PROOFS:
            self._proofs.take_proof(key, await self._read(BalanceProof, incoming))
            return set()
        status = await self._read(ConnectorStatus, incoming)
        if status is None and incoming.value is not None:
            return set()
        self._proofs.take_status(key, status)
        return self._state.take_status(key, status)

    async def _read(self, record_type: type[R], incoming: Incoming) -> R | None:
        """Return the record, or None for a tombstone and for what cannot be read."""
        if incoming.value is None:
            return None
        try:
            return await self._consumer.decode(record_type, incoming)
        except RecordInvalid as error:
            telemetry.RECORDS_REJECTED.labels(SERVICE, incoming.topic).inc()
            log.warning("record_invalid", error=str(error))
            return None


def _unread(
    unread: dict[Place, int],
    batch: dict[Place, list[Incoming]],
    lags: Positions,
) -> dict[Place, int]:
    """Return the partitions that are not read to their end as of the start."""
    return {
        place: end
        for place, end in unread.items()
        if end > 0
        and lags.get(place) != 0
        and not (batch.get(place) and batch[place][-1].offset + 1 >= end)
    }


def _count(topic: str, partition: int, records: list[Incoming], seconds: float) -> None:
    if not records:
        return
    age = max(0.0, time.time() - records[-1].time_ms / 1000)
    telemetry.RECORDS_CONSUMED.labels(SERVICE, topic).inc(len(records))
    telemetry.RECORD_SECONDS.labels(SERVICE, topic).observe(seconds)
    telemetry.CONSUMER_LAG_SECONDS.labels(SERVICE, topic, str(partition)).set(age)
