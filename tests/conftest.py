"""What all tests share: the real Kafka, registry and PostgreSQL, started once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import HealthCheck, settings

from balance_stack.running import RunningStack, running_stack

# A machine that is slow or busy makes no property false.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


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


async def delete_topics(servers: str) -> None:
    """Delete every topic but Kafka's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        names = await admin.list_topics()
        await admin.delete_topics([one for one in names if not one.startswith("__")])
    finally:
        await admin.close()
