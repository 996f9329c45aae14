"""Topics of one's own on the real Kafka, frames to put there, and a way to read."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from balance_schemas.records import RawFrame
from balance_schemas.topics import TOPICS
from balance_shared.kafka import Consumer, Producer, apply_topics
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings


def build_frame(account="main", index=0, payload=b"{}"):
    """Return a frame of a Kraken stream."""
    return RawFrame(
        venue="kraken",
        account=account,
        feed="ws",
        epoch=1,
        index=index,
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        source="stream",
        part=0,
        parts=1,
        payload=payload,
    )


@pytest.fixture
def make_frame():
    """Give the builder of frames."""
    return build_frame


@pytest.fixture
def settings(stack):
    """Give settings with a prefix that no other test uses; there are no topics yet."""
    return ServiceSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"t_{uuid.uuid4().hex}",
        topic_partitions=4,
    )


@pytest.fixture
async def registry(settings):
    """Give the real registry."""
    async with Registry(settings.schema_registry_url) as registry:
        yield registry


@pytest.fixture
async def producer(settings, registry):
    """Give a producer of all topics, which it makes first."""
    await apply_topics(settings)
    async with Producer(settings, registry, TOPICS) as producer:
        yield producer


@pytest.fixture
def read(settings, registry):
    """Give a function that reads the first records of some topics."""

    async def read_first(count, *topics):
        found = []
        async with Consumer(settings, registry, topics) as consumer:
            async with asyncio.timeout(120):
                async for batch in consumer.batches(wait_s=0.2):
                    for records in batch.values():
                        found += records
                    if len(found) >= count:
                        return found
        return found

    return read_first
