"""Raw frames are found on their topic by account, epoch and time of arrival."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from balance_schemas.records import RawFrame
from balance_schemas.topics import FRAMES
from balance_shared.kafka import Producer, apply_topics
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_storage.explain import FrameName
from balance_storage.kept_frames import NOT_FOUND, find_frames

pytestmark = pytest.mark.integration

ACCOUNT = "kraken|main"


def kept(number, at, epoch=1, account="main"):
    """Return a frame that arrived at a time."""
    return RawFrame(
        venue="kraken",
        account=account,
        feed="ws",
        epoch=epoch,
        index=number,
        received_at=at,
        source="stream",
        part=0,
        parts=1,
        payload=f"frame {number}".encode(),
    )


async def test_frames_are_found_where_they_lie(stack):
    """Others of the same moment, account or partition are no answer."""
    settings = ServiceSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"t_{uuid.uuid4().hex}",
        topic_partitions=1,
    )
    now = datetime.fromtimestamp(int(time.time()), UTC)
    times = [now + timedelta(milliseconds=500 * number) for number in range(20)]
    frames = [kept(number, at) for number, at in enumerate(times)]
    frames.insert(5, kept(0, times[5], epoch=2))
    frames.insert(5, kept(0, times[5], account="other"))
    await apply_topics(settings)
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, [FRAMES]) as producer,
    ):
        await producer.publish(
            [
                outgoing(FRAMES, one.key, one, int(one.received_at.timestamp() * 1000))
                for one in frames
            ]
        )
    third, fifth = FrameName("ws", 1, times[3]), FrameName("ws", 1, times[5])
    never = FrameName("ws", 1, times[5] + timedelta(microseconds=1))
    late = FrameName("ws", 1, now + timedelta(days=1))
    found = await find_frames(settings, ACCOUNT, [third, fifth, never, late])
    assert (3, b"frame 3") == (found[third].topic_offset, found[third].payload)
    assert (6, 5) == (found[fifth].topic_offset, found[fifth].index)
    assert (NOT_FOUND, NOT_FOUND) == (found[never], found[late])
