"""The service: reads the topics that verdicts rest on, and writes the verdicts.

Theory of operation. State is what the topics say. When an instance is given partitions,
at the start and after each rebalance, it forgets all and reads them from their
beginning: events, their copies on latest, comparisons, states, acknowledgements, and
the verdicts on the proofs topic, which keep what is older than the other topics.
Nothing is written before all that was there is read; then only what differs from what
is written already. So a restart, a second instance and a replay come to the same
verdicts, and no position has to be kept anywhere. The instances of a group get the same
partitions of every topic, so that all records of an account meet in one process.

A state of a feed speaks of the events, copies and comparisons before it, on other
topics: it counts once all that lay there when it was read is taken.

A million events take some three minutes of a core and 2 GB to read again, as they wait
for the states; until then the verdicts stand as they were written, and /readyz says so.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from tenacity import RetryCallState

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

Place = tuple[str, int]

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
        others = EVENTS, LATEST, RECONCILIATIONS
        self._others = [one.full_name(settings.topic_prefix) for one in others]
        self._token = 0
        self._shards: dict[int, Shard] = {}
        self._positions: dict[Place, int] = {}
        self._waiting: list[tuple[int, int, dict[Place, int]]] = []
        self._unread: dict[Place, int] | None = None

    async def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        """Forget all, as partitions were given or taken; called by the consumer."""
        self._shards = {partition: Shard() for _, partition in places}
        self._positions, self._waiting, self._unread = {}, [], None
        self._parts.not_ready("books", "reading the topics")
        return {}

    async def run(self, consumer: Consumer) -> None:
        """Take records and write verdicts, for ever."""
        watch = Watch(SERVICE, consumer, self._parts)
        async for batch in consumer.batches():
            shards = self._shards
            await self._note_ends(consumer)
            self._token += 1
            for place, records in batch.items():
                if self._shards is shards:  # else they are read again from the start
                    await self._take(consumer, place, records)
            await self._wait_for_others(consumer, batch)
            lags = await watch.look() or {}
            self._complete(lags)
            self._catch_up(lags)
            await self._publish()

    async def _note_ends(self, consumer: Consumer) -> None:
        """Note where the partitions end that were just given to us."""
        if self._unread is not None:
            return
        shards, ends = self._shards, await consumer.end()
        if self._shards is shards:
            self._unread = {place: end for place, end in ends.items() if end}

    async def _wait_for_others(
        self, consumer: Consumer, batch: Mapping[Place, list[Incoming]]
    ) -> None:
        """Note how far events and comparisons are, now that states were read."""
        told = {
            at for (topic, at), one in batch.items() if topic == self._states and one
        }
        ends = await consumer.end() if told else {}
        for partition in told:
            others = [(topic, partition) for topic in self._others]
            wanted = {place: ends.get(place, 0) for place in others}
            self._waiting.append((self._token, partition, wanted))

    def _complete(self, lags: Positions) -> None:
        """Let the states count before which everything is taken, in their order."""
        waiting, self._waiting = self._waiting, []
        behind: set[int] = set()
        for token, partition, wanted in waiting:
            taken = all(self._is_read(at, end, lags) for at, end in wanted.items())
            if not taken or partition in behind:
                behind.add(partition)
                self._waiting.append((token, partition, wanted))
            elif partition in self._shards:
                self._shards[partition].complete(token)

    async def _take(
        self, consumer: Consumer, place: Place, records: list[Incoming]
    ) -> None:
        started = time.perf_counter()
        shard = self._shards.get(place[1])
        if shard is None or not records:
            return
        for incoming in records:
            await self._fold(consumer, shard, incoming)
        topic, partition = place
        if self._shards.get(partition) is shard:
            self._positions[place] = records[-1].offset + 1
        telemetry.RECORDS_CONSUMED.labels(SERVICE, topic).inc(len(records))
        telemetry.RECORD_SECONDS.labels(SERVICE, topic).observe(
            time.perf_counter() - started
        )
        age_s = max(0.0, time.time() - records[-1].time_ms / 1000)
        telemetry.CONSUMER_LAG_SECONDS.labels(SERVICE, topic, str(partition)).set(age_s)

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
                shard.take_status(status, at, self._token)
            else:
                note = await consumer.decode(Acknowledgement, incoming)
                shard.take_acknowledgement(note)
        except RecordInvalid as error:
            telemetry.RECORDS_REJECTED.labels(SERVICE, incoming.topic).inc()
            log.warning("record_invalid", error=str(error))

    def _is_read(self, place: Place, end: int, lags: Positions) -> bool:
        """Whether all records before an offset are taken, or are not there any more."""
        return self._positions.get(place, 0) >= end or lags.get(place) == 0

    def _catch_up(self, lags: Positions) -> None:
        """Note which partitions are read to where they ended at the start."""
        if self._unread is None:
            return
        for place, end in list(self._unread.items()):
            if self._is_read(place, end, lags):
                del self._unread[place]
        behind = {partition for _, partition in self._unread}
        behind |= {partition for _, partition, _ in self._waiting}
        for partition, shard in self._shards.items():
            if not shard.caught_up and partition not in behind:
                shard.resume()
        if not behind:
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
