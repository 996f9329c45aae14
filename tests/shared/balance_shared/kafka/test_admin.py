"""Topics become what the contract says, and other people's settings stay."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from balance_schemas.topics import EVENTS, FRAMES, LATEST, TOPICS
from balance_shared.errors import PublishError
from balance_shared.kafka import apply_topics

pytestmark = pytest.mark.integration


@pytest.fixture
async def admin(settings):
    """Give a client of whoever else minds the topics."""

    @asynccontextmanager
    async def started():
        client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async with started() as client:
        yield client


@pytest.fixture
def configs(admin, settings):
    """Give a function that returns the settings that were made on a topic."""

    async def made(topic):
        name = topic.full_name(settings.topic_prefix)
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        (answer,) = await admin.describe_configs([resource])
        (found,) = answer.resources
        return {entry[0]: entry[1] for entry in found[4] if entry[3] == 1}

    return made


@pytest.fixture
def are(configs):
    """Give a function that waits for a topic's own settings: Kafka shows them late."""

    async def wait(topic, expected):
        with suppress(TimeoutError):
            async with asyncio.timeout(120):
                while expected != await configs(topic):  # noqa: ASYNC110 — it tells nobody
                    await asyncio.sleep(0.02)
        assert expected == await configs(topic)

    return wait


@pytest.fixture
def change(admin, settings, are):
    """Give a function that sets all of a topic's own settings, and waits for them."""

    async def alter(topic, **values):
        name = topic.full_name(settings.topic_prefix)
        named = {key.replace("_", "."): value for key, value in values.items()}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=named)
        await admin.alter_configs([resource])
        await are(topic, named)

    return alter


@pytest.fixture
def seen(admin, settings):
    """Give a function that waits until Kafka shows topics that were just created."""

    async def wait(*topics):
        names = {topic.full_name(settings.topic_prefix) for topic in topics}
        while not names <= set(await admin.list_topics()):  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.02)

    return wait


async def test_missing_topics_are_created(settings, are):
    """All of them, with the settings of the contract, and the changes are told."""
    changes = await apply_topics(settings)
    assert [
        f"created {topic.full_name(settings.topic_prefix)}: 4 partitions, 1 replicas"
        for topic in TOPICS
    ] == changes
    for topic in TOPICS:
        await are(topic, topic.config())


async def test_second_time_changes_nothing(settings):
    """It is safe to run again."""
    await apply_topics(settings)
    assert await apply_topics(settings) == []


async def test_several_at_once_agree(settings):
    """Services that start together each create what is missing."""
    changes = await asyncio.gather(*[apply_topics(settings) for _ in range(4)])
    assert len(TOPICS) == sum(map(len, changes))


async def test_changed_setting_is_corrected(settings, change, are):
    """The contract's settings come back, and other people's stay."""
    await apply_topics(settings)
    await change(EVENTS, cleanup_policy="delete", retention_ms="1", segment_ms="60000")
    (line,) = await apply_topics(settings)
    name = EVENTS.full_name(settings.topic_prefix)
    assert line == f"changed {name}: retention.ms from 1 to {EVENTS.retention_ms}"
    await are(EVENTS, EVENTS.config() | {"segment.ms": "60000"})
    assert await apply_topics(settings) == []


@pytest.mark.parametrize("kept", ["31536000000", "-1"], ids=["a year", "for ever"])
async def test_history_kept_for_longer_stays(settings, change, kept):
    """To keep it for the time of the contract would delete what is older."""
    await apply_topics(settings)
    await change(EVENTS, cleanup_policy="delete", retention_ms=kept)
    assert await apply_topics(settings) == []


async def test_lost_compaction_is_corrected(settings, change, are):
    """A compacted topic that began to delete would forget balances."""
    await apply_topics(settings)
    await change(LATEST, cleanup_policy="delete")
    (line,) = await apply_topics(settings)
    assert line.endswith("cleanup.policy from delete to compact")
    await are(LATEST, LATEST.config())


async def test_services_that_start_correct_nothing(settings, change, configs):
    """They create what is missing and leave the rest to whoever is in charge."""
    await apply_topics(settings, [EVENTS])
    await change(EVENTS, cleanup_policy="delete", retention_ms="1")
    (line,) = await apply_topics(settings, [EVENTS, FRAMES], correct=False)
    assert line.startswith(f"created {FRAMES.full_name(settings.topic_prefix)}")
    assert (await configs(EVENTS))["retention.ms"] == "1"


async def test_new_topics_are_like_those_that_are_there(settings, seen):
    """The number of partitions is that of the bus, whatever the setting says now."""
    await apply_topics(settings, [EVENTS])
    await seen(EVENTS)
    more = settings.model_copy(update={"topic_partitions": 9})
    (line,) = await apply_topics(more, [EVENTS, FRAMES])
    assert line.endswith("4 partitions, 1 replicas")


async def test_uneven_topics_are_refused(settings, admin, seen):
    """One account's records would part company; the line says which topics."""
    name = FRAMES.full_name(settings.topic_prefix)
    await admin.create_topics([NewTopic(name, 3, 1)])
    await seen(FRAMES)
    await apply_topics(settings, [FRAMES])
    await admin.create_topics([NewTopic(EVENTS.full_name(settings.topic_prefix), 2, 1)])
    await seen(EVENTS, FRAMES)
    with pytest.raises(PublishError, match="events 2") as caught:
        await apply_topics(settings, [EVENTS, FRAMES])
    assert "frames 3" in str(caught.value)
    assert "Delete the odd ones" in str(caught.value)


async def test_what_kafka_refuses_is_told(settings):
    """More copies than brokers cannot be had."""
    greedy = settings.model_copy(update={"topic_replication": 9})
    with pytest.raises(PublishError, match=r"cannot create topic .*events.v1: .*epl"):
        await apply_topics(greedy)
