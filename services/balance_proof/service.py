"""The service: reads the topics that verdicts rest on, and writes the verdicts.

Theory of operation. State is what the topics say. When an instance is given partitions,
at the start and after each rebalance, it forgets all and reads them from their
beginning: events, their copies on latest, comparisons, states, acknowledgements, and
the verdicts on the proofs topic, which keep what is older than the other topics.
Nothing is written before all that was there is read; then only what differs from what
is written already. So a restart, a second instance and a replay come to the same
verdicts, and no position has to be kept anywhere. The instances of a group get the same
partitions of every topic, so that all records of an account meet in one process.

`Merge` gives the records of a partition in the order in which they were told, and says
which topics to read next: none is read far ahead of the others. States are told to the
accounts as soon as they are read, and count when it is their turn. Until all is read
the verdicts stand as they were written, and /readyz says how far reading is.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from tenacity import RetryCallState

from balance_proof.merge import MARGIN_MS, Merge, OutOfOrderError, Place
from balance_proof.restore import Restore
from balance_proof.shard import Shard
from balance_proof.transfers import Transfers
from balance_schemas.keys import account_key
from balance_schemas.records import (
    Acknowledgement,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Reconciliation,
)
from balance_schemas.topics import (
    ACKNOWLEDGEMENTS,
    EVENTS,
    LATEST,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
)
from balance_shared import telemetry
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import (
    Consumer,
    Incoming,
    Producer,
    Watch,
    apply_topics,
    outgoing,
)
from balance_shared.kafka.consumer import Positions
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.sessions import for_ever
from balance_shared.settings import ProofSettings

SERVICE = "proof"
"""Name of this service in metrics."""

TOPICS = (EVENTS, LATEST, RECONCILIATIONS, STATUS, ACKNOWLEDGEMENTS, PROOFS)

REGISTRY_PATIENCE_S = 10.0
"""How long a schema is asked for before the session is given up, in seconds."""

HANDOVER = 2_000
"""Most verdicts of one hand-over to Kafka."""

BATCH = 2_000
"""Most records that are read at once; so many of each topic may wait for the others."""

TURN = 200
"""After how many records others get their turn."""

FETCH_BYTES_MAX = 1024 * 1024
"""Most bytes that are fetched ahead of each topic and partition."""

log = structlog.get_logger(__name__)


async def run(settings: ProofSettings, parts: Parts) -> None:
    """Prove until cancelled.

    Args:
        settings: where Kafka and registry are.
        parts: told about ``kafka`` and ``books`` (the topics are read).

    Raises:
        PublishError: Kafka refuses us.
    """
    parts.not_ready("kafka", "starting")
    parts.not_ready("books", "starting")
    await apply_topics(settings, topics=TOPICS, correct=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(Transfers(settings).run())
        async for attempt in for_ever(parts, "books"):
            with attempt:
                await _session(settings, parts, attempt.retry_state)


async def _session(
    settings: ProofSettings, parts: Parts, state: RetryCallState
) -> None:
    async with (
        Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S) as registry,
        Producer(settings, registry, [PROOFS]) as producer,
    ):
        proving = Proving(settings, producer, parts)
        consumer = Consumer(
            settings,
            registry,
            TOPICS,
            group=f"{settings.topic_prefix}.proof",
            positions=proving.assigned,
            fetch_bytes_max=FETCH_BYTES_MAX,
        )
        async with consumer:
            parts.ready("kafka")
            state.attempt_number = 1  # connected: back off from the start next time
            await proving.run(consumer)


class Proving:
    """Proves what one consumer reads.

    Args:
        settings: the topics' prefix.
        producer: of proofs.
        parts: told whether the topics are read.
    """

    def __init__(
        self, settings: ProofSettings, producer: Producer, parts: Parts
    ) -> None:
        self._topics = {one.full_name(settings.topic_prefix): one for one in TOPICS}
        self._producer = producer
        self._parts = parts
        self._states = STATUS.full_name(settings.topic_prefix)
        self._margin_ms = MARGIN_MS
        self._shards: dict[int, Shard] = {}
        self._merges: dict[int, Merge] = {}
        self._restore: Restore | None = None

    async def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        """Forget all, as partitions were given or taken; called by the consumer."""
        partitions = {partition for _, partition in places}
        self._shards = {partition: Shard() for partition in partitions}
        self._merges = {
            partition: Merge(
                (self._states, partition),
                [place for place in places if place[1] == partition],
                self._margin_ms,
            )
            for partition in partitions
        }
        self._restore = None
        self._parts.not_ready("books", "reading the topics")
        return {}

    def wanted(self) -> list[Place]:
        """Return the places to read next; none: all."""
        return [place for one in self._merges.values() for place in one.hungry]

    async def run(self, consumer: Consumer) -> None:
        """Take records and write verdicts, for ever."""
        watch = Watch(SERVICE, consumer, self._parts)
        async for batch in consumer.batches(BATCH, wanted=self.wanted):
            try:
                await self._take(consumer, batch)
            except OutOfOrderError as error:
                self._margin_ms = error.margin_ms
                log.warning("clocks_differ", record=str(error), ms=error.margin_ms)
                await consumer.start_over()
            await watch.look()
            await self._publish()

    async def _take(
        self, consumer: Consumer, batch: Mapping[Place, list[Incoming]]
    ) -> None:
        """Put what was read into order, and take all that is in order then."""
        merges = self._merges
        for partition, merge in merges.items():
            merge.put({at: told for at, told in batch.items() if at[1] == partition})
            for incoming in batch.get((self._states, partition), ()):
                await self._fold(consumer, self._shards[partition], incoming)
        read = await consumer.read()
        if self._restore is None:
            ends = await self._ask_ends(consumer, merges)
            firsts = {at: told[0].offset for at, told in batch.items() if told}
            restore = Restore({**read, **firsts}, ends, time.monotonic())
            if self._merges is merges:  # else partitions were given or taken
                self._restore = restore
        await self._take_ready(consumer, merges, read)
        if any(merge.waits for merge in merges.values()):
            await self._ask_ends(consumer, merges)
            await self._take_ready(consumer, merges, read)
        if self._merges is merges and self._restore is not None:
            self._catch_up(self._restore, read)

    async def _ask_ends(
        self, consumer: Consumer, merges: Mapping[int, Merge]
    ) -> Positions:
        """Tell all merges where the topics end now."""
        asked_ms = int(time.time() * 1000)
        ends = await consumer.end()
        for merge in merges.values():
            merge.go_to(ends, asked_ms)
        return ends

    async def _take_ready(
        self, consumer: Consumer, merges: Mapping[int, Merge], read: Positions
    ) -> None:
        """Take what is in order, unless all is to be read again from the start."""
        for partition, merge in merges.items():
            if self._merges is merges:
                merge.reach(read)
                await self._fold_all(consumer, self._shards[partition], merge)

    async def _fold_all(self, consumer: Consumer, shard: Shard, merge: Merge) -> None:
        started, counts = time.perf_counter(), Counter[str]()
        last: dict[Place, int] = {}
        for incoming in merge.ready():
            if incoming.topic == self._states:
                shard.complete(incoming.key or "", incoming.offset + 1)
            else:
                await self._fold(consumer, shard, incoming)
            counts[incoming.topic] += 1
            if not counts.total() % TURN:
                await asyncio.sleep(0)  # the group hears of us, too
            last[incoming.topic, incoming.partition] = incoming.time_ms
        took_s = time.perf_counter() - started
        for topic, count in counts.items():
            telemetry.RECORDS_CONSUMED.labels(SERVICE, topic).inc(count)
            share_s = took_s * count / counts.total()
            telemetry.RECORD_SECONDS.labels(SERVICE, topic).observe(share_s)
        for (topic, partition), time_ms in last.items():
            age_s = max(0.0, time.time() - time_ms / 1000)
            telemetry.CONSUMER_LAG_SECONDS.labels(SERVICE, topic, str(partition)).set(
                age_s
            )

    async def _fold(self, consumer: Consumer, shard: Shard, incoming: Incoming) -> None:
        topic, at = self._topics[incoming.topic], incoming.time_ms
        try:
            if topic == PROOFS:
                empty = incoming.value is None
                proof = None if empty else await consumer.decode(BalanceProof, incoming)
                shard.take_proof(incoming.key or "", proof)
            elif incoming.value is None:
                return
            elif topic == EVENTS:
                shard.take_event(await consumer.decode(BalanceEvent, incoming))
            elif topic == LATEST:
                shard.take_latest(await consumer.decode(BalanceEvent, incoming))
            elif topic == RECONCILIATIONS:
                found = await consumer.decode(Reconciliation, incoming)
                shard.take_reconciliation(found, at)
            elif topic == STATUS:
                status = await consumer.decode(ConnectorStatus, incoming)
                shard.take_status(status, at, incoming.offset + 1)
            else:
                note = await consumer.decode(Acknowledgement, incoming)
                shard.take_acknowledgement(note)
        except RecordInvalid as error:
            telemetry.RECORDS_REJECTED.labels(SERVICE, incoming.topic).inc()
            log.warning("record_invalid", error=str(error))

    def _catch_up(self, restore: Restore, read: Positions) -> None:
        """Note which partitions are read to where they ended at the start."""
        behind = [at for at, shard in self._shards.items() if not shard.caught_up]
        for partition in behind:
            if self._merges[partition].is_through(restore.ends):
                self._shards[partition].resume()
        now_s = time.monotonic()
        if not all(shard.caught_up for shard in self._shards.values()):
            reached = restore.reach(read)
            self._parts.not_ready("books", reached)
            if restore.is_due(now_s):
                log.info("restoring", progress=reached)
        elif not restore.is_done:
            took_s = round(restore.end(now_s), 1)
            log.info("restored", records=restore.size, seconds=took_s)
            self._parts.ready("books")

    async def _publish(self) -> None:
        now = datetime.now(UTC)
        for shard in self._shards.values():
            due = list(shard.due(now))
            for start in range(0, len(due), HANDOVER):
                await self._write(due[start : start + HANDOVER])

    async def _write(self, proofs: Sequence[BalanceProof]) -> None:
        now_ms = int(time.time() * 1000)
        await self._producer.publish(
            [
                outgoing(PROOFS, account_key(proof.venue, proof.account), proof, now_ms)
                for proof in proofs
            ]
        )
        counts = Counter(proof.verdict for proof in proofs)
        for verdict, count in counts.items():
            telemetry.PROOFS_PUBLISHED.labels(verdict).inc(count)
