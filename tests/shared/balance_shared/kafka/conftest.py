"""Frames to put on the real Kafka, and a way to read."""

import asyncio
from datetime import UTC, datetime

import pytest

from balance_schemas.records import RawFrame
from balance_shared.kafka import Consumer


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
