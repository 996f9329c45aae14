"""Metrics on the real bus: what the topics say is what Prometheus sees."""

import asyncio
import time
import uuid
from contextlib import suppress
from decimal import Decimal

import pytest
from msgspec import structs

from balance_metrics.service import allowed_assets, run
from balance_schemas.keys import account_key
from balance_schemas.topics import LATEST, PROOFS, STATUS
from balance_shared import telemetry
from balance_shared.kafka import Producer, apply_topics
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import MetricsSettings


def test_list_of_assets_is_split_at_commas():
    """Spaces and empty places do not matter; nothing means all."""
    assert allowed_assets(" BTC, ETH,") == {"BTC", "ETH"}
    assert allowed_assets("") == frozenset()


async def until(met, seconds=120):
    """Wait until a condition is met."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 — the database and Prometheus tell nobody
            await asyncio.sleep(0.05)


@pytest.fixture
async def settings(stack):
    """Give empty topics."""
    settings = MetricsSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"metrics_{uuid.uuid4().hex}",
        topic_partitions=3,
    )
    await apply_topics(settings)
    return settings


@pytest.fixture
async def producer(settings):
    """Give a producer of what is read."""
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, [LATEST, PROOFS, STATUS]) as producer,
    ):
        yield producer


@pytest.fixture
async def start(settings):
    """Give a function that starts the service; it is stopped at the end."""
    tasks = []

    async def start_and_wait():
        parts = Parts()
        tasks.append(asyncio.create_task(run(settings, parts)))
        await asyncio.sleep(0)
        return parts

    yield start_and_wait
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def records(topic, *values):
    """Return records ready to be published."""
    now = int(time.time() * 1000)
    return [
        outgoing(topic, account_key(value.venue, value.account), value, now)
        for value in values
    ]


@pytest.mark.integration
async def test_topics_are_shown_and_followed(settings, producer, start, make, shown):
    """History first, then what comes; garbage takes its balance away."""
    account = uuid.uuid4().hex
    old = make.event(account=account, balance=Decimal(1))
    new = make.event(account=account, balance=Decimal(2), epoch=2)
    status = make.status(account=account, confirmed_at=make.at(60))
    await producer.publish([*records(LATEST, old, new), *records(STATUS, status)])
    parts = await start()
    await until(lambda: not parts.missing())
    assert shown("balance", account=account) == 2
    assert make.at(60).timestamp() == shown(
        "balance_confirmed_timestamp_seconds", account=account
    )
    late = make.event(account=account, balance=Decimal(1), epoch=1)
    next_ = make.event(account=account, balance=Decimal(3), epoch=2)
    await producer.publish(records(LATEST, late, next_))
    await until(lambda: shown("balance", account=account) == 3)
    poison = structs.replace(*records(LATEST, next_), body=b"\xff")
    await producer.publish([poison])
    await until(lambda: shown("balance", account=account) is None)
    rejected = telemetry.RECORDS_REJECTED.labels(
        "metrics", LATEST.full_name(settings.topic_prefix)
    )
    assert rejected._value.get() == 1


@pytest.mark.integration
async def test_verdicts_are_shown_and_followed(producer, start, make, shown):
    """What is proven when it starts, and what becomes of it."""
    account = uuid.uuid4().hex
    proof, status = make.proof(account=account), make.status(account=account)
    await producer.publish([*records(STATUS, status), *records(PROOFS, proof)])
    parts = await start()
    await until(lambda: not parts.missing())
    assert 1 == shown("proof_verdict", account=account, verdict="PROVEN")
    later = make.proof(account=account, verdict="UNPROVEN", reason="stale")
    await producer.publish(records(PROOFS, later))
    await until(lambda: shown("proof_verdict", account=account, verdict="UNPROVEN"))
    assert 0 == shown("proof_verdict", account=account, verdict="PROVEN")


@pytest.mark.integration
async def test_empty_topics_are_ready(start):
    """A new bus has nothing to read."""
    parts = await start()
    await until(lambda: not parts.missing())
