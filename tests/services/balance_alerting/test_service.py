"""Alerting on the real bus: what is told, what is kept, and what a restart changes."""

import asyncio
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from balance_alerting.service import run
from balance_schemas.keys import account_key
from balance_schemas.topics import EVENTS, LATEST, PROOFS, STATUS
from balance_shared.kafka import Producer, apply_topics
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import AlertingSettings

pytestmark = pytest.mark.integration

RULES = """
routes:
  hook: {{type: webhook, url: "{url}"}}
rules:
  - {{name: low, type: balance_below, below: 10, keep_firing_for: 0s}}
  - {{name: out, type: withdrawal}}
"""


async def until(met, seconds=30):
    """Wait until a condition is met, and return what met it."""
    async with asyncio.timeout(seconds):
        while not (found := met()):  # noqa: ASYNC110 — the webhook tells nobody
            await asyncio.sleep(0.05)
    return found


@pytest.fixture
async def settings(stack, hook, tmp_path):
    """Give empty topics and a rules file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(url=hook.url))
    settings = AlertingSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"alerting_{uuid.uuid4().hex}",
        topic_partitions=3,
        alerting_rules_file=file,
    )
    await apply_topics(settings)
    return settings


@pytest.fixture
async def publish(settings):
    """Give a function that writes records as connectors do."""
    topics = [EVENTS, LATEST, STATUS, PROOFS]
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, topics) as producer,
    ):

        async def write(topic, *records):
            now = int(time.time() * 1000)
            await producer.publish(
                [
                    outgoing(topic, account_key(one.venue, one.account), one, now)
                    for one in records
                ]
            )

        yield write


@pytest.fixture
async def start(settings):
    """Give a function that starts the service and waits until it is ready."""
    tasks = []

    async def start_and_wait():
        parts = Parts()
        task = asyncio.create_task(run(settings, parts))
        tasks.append(task)
        await asyncio.sleep(0)
        await until(lambda: not parts.missing())
        return parts, task

    yield start_and_wait
    for task in tasks:
        await ended(task)


async def ended(task):
    """Stop a service."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def now():
    """Return the time, as connectors put it on events."""
    return datetime.now(UTC)


async def test_a_balance_that_is_low_is_told_and_its_end(make, start, publish, hook):
    """From the events topic to the webhook and back to the alerts topic."""
    await start()
    await publish(STATUS, make.status(0, since=now()))
    await publish(EVENTS, make.event(1, "9.000000000000000001", received_at=now()))
    await until(lambda: len(hook.got) == 1)
    await publish(EVENTS, make.event(2, 12, received_at=now()))
    await until(lambda: len(hook.got) == 2)
    told = [(one["kind"], one["value"], one["worst"]) for one in hook.got]
    low = "9.000000000000000001"
    assert [("new", low, low), ("resolved", "12", low)] == told
    summary = hook.got[1]["annotations"]["summary"]
    assert summary.endswith("farthest 9.000000000000000001, limit 10")
