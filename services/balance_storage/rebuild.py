"""Makes the tables again from the topics alone, by the service's own code.

The service runs beside, in a group of its own, so that storage of another database goes
on undisturbed; it is stopped once the stored positions have reached the ends that the
topics had at the start. A rebuild that is broken off goes on from the same positions.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from balance_schemas.topics import EVENTS
from balance_shared.kafka import Reader, answering, apply_topics
from balance_shared.service import Parts
from balance_shared.settings import StorageSettings
from balance_storage.connecting import connected
from balance_storage.database import checked_dsn, prepare
from balance_storage.lines import Place
from balance_storage.service import read_topics, run

LOOK_S = 0.5
"""How often the positions are looked at, in seconds."""

PATIENCE_S = 30.0
"""How long Kafka may take to answer at the start, in seconds."""

_POSITIONS = """
SELECT topic, topic_partition, next_offset FROM balancebus.consumer_offsets
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was stored.

    Attributes:
        records: how many records, of all topics.
        cut: partitions of events whose beginning the topic no longer holds.
    """

    records: int
    cut: tuple[str, ...]


async def rebuild(
    settings: StorageSettings, told: Callable[[int, int], None]
) -> Rebuilt:
    """Store everything that the topics hold now.

    Args:
        settings: where Kafka, registry and the new database are.
        told: called now and then with how many records are stored, and of how many.

    Raises:
        SettingsError: the DSN cannot be read, or the tables cannot be used.
        BusInterrupted: Kafka does not answer.
        PublishError: Kafka refuses us.
    """
    dsn = checked_dsn(settings.postgres_dsn.get_secret_value())
    await prepare(dsn)
    begins, ends = await _stretches(settings)
    group = f"{settings.topic_prefix}.storage.rebuild-{uuid.uuid4().hex}"
    started = await _positions(dsn)
    storing = asyncio.create_task(run(settings, Parts(), group))
    total = _left(begins, ends, started)
    try:
        while left := _left(begins, ends, await _positions(dsn)):
            told(total - left, total)
            done, _ = await asyncio.wait({storing}, timeout=LOOK_S)
            if done:
                storing.result()
    finally:
        storing.cancel()
        await asyncio.wait({storing})
    told(total, total)
    name = EVENTS.full_name(settings.topic_prefix)
    cut = sorted(
        f"{topic}[{partition}]"
        for (topic, partition), begin in begins.items()
        if topic == name and begin > started.get((topic, partition), 0)
    )
    return Rebuilt(total, tuple(cut))


async def _stretches(
    settings: StorageSettings,
) -> tuple[Mapping[Place, int], Mapping[Place, int]]:
    """Return where the partitions of all topics that are stored begin and end."""
    topics = read_topics(settings)
    await apply_topics(settings, topics, correct=False, patience_s=PATIENCE_S)
    reader = Reader(settings, topics)
    async with answering(settings, PATIENCE_S):
        await reader.__aenter__()
    try:
        places = [place for topic in topics for place in reader.places(topic)]
        return await reader.beginnings(places), await reader.ends(places)
    finally:
        await reader.__aexit__()


async def _positions(dsn: str) -> dict[Place, int]:
    """Return how far each partition is stored."""
    async with await connected(dsn) as connection:
        cursor = await connection.execute(_POSITIONS)
        return {(topic, at): offset async for topic, at, offset in cursor}


def _left(
    begins: Mapping[Place, int], ends: Mapping[Place, int], stored: Mapping[Place, int]
) -> int:
    """Return how many records are not stored yet."""
    return sum(
        max(0, end - max(begins[place], stored.get(place, 0)))
        for place, end in ends.items()
    )
