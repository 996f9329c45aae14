"""What all tests share: the real Kafka, registry and PostgreSQL, started once."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from balance_schemas.topics import TOPICS
from balance_shared.kafka import Producer, apply_topics
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_stack.running import RunningStack, running_stack

# A machine that is slow or busy makes no property false.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Give the real parts, started on first use and shared by all tests."""
    directory: Path = tmp_path_factory.mktemp("stack")
    with running_stack(directory, quiet=True, brief=True) as running:
        yield running


@pytest.fixture(scope="module")
def stack(shared_stack: RunningStack) -> Iterator[RunningStack]:
    """Give the real parts; the topics of a file are gone when its tests are over.

    The more topics there are, the longer takes Kafka to come back when a test kills it:
    with those of half of all tests most of a minute.
    """
    yield shared_stack
    if shared_stack.runner is not None:  # else they may be somebody else's
        asyncio.run(delete_topics(shared_stack.endpoints.kafka_bootstrap_servers))


@pytest.fixture
def own_settings(stack: RunningStack) -> Callable[..., Any]:
    """Give a function that makes settings with a prefix that no other test uses."""

    def make(kind: type[ServiceSettings] = ServiceSettings, **more: Any) -> Any:
        ends = stack.endpoints
        return kind(
            kafka_bootstrap_servers=ends.kafka_bootstrap_servers,
            schema_registry_url=ends.schema_registry_url,
            topic_prefix=f"t_{uuid.uuid4().hex}",
            **({"topic_partitions": 4} | more),
        )

    return make


@pytest.fixture
def settings(own_settings: Callable[..., ServiceSettings]) -> ServiceSettings:
    """Give settings with a prefix that no other test uses; there are no topics yet."""
    return own_settings()


@pytest.fixture
async def registry(settings: ServiceSettings) -> AsyncIterator[Registry]:
    """Give the real registry."""
    async with Registry(settings.schema_registry_url) as registry:
        yield registry


@pytest.fixture
async def producer(
    settings: ServiceSettings, registry: Registry
) -> AsyncIterator[Producer]:
    """Give a producer of all topics, which it makes first."""
    await apply_topics(settings)
    async with Producer(settings, registry, TOPICS) as producer:
        yield producer


async def delete_topics(servers: str) -> None:
    """Delete every topic but Kafka's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        names = await admin.list_topics()
        await admin.delete_topics([one for one in names if not one.startswith("__")])
    finally:
        await admin.close()
