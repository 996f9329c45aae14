"""Proof on the real bus: killed, restarted, shared, and always the same verdicts."""

import asyncio
import re
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from balance_proof import service
from balance_proof.service import run
from balance_schemas.keys import account_key
from balance_schemas.records import Acknowledgement, BalanceProof
from balance_schemas.topics import (
    ACKNOWLEDGEMENTS,
    EVENTS,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
)
from balance_shared.kafka import Outgoing, Producer, Reader, apply_topics, decoded
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import ProofSettings

ACCOUNTS = [f"account-{n}" for n in range(6)]

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=6)

pytestmark = pytest.mark.integration


@pytest.fixture
async def settings(stack):
    """Give empty topics."""
    settings = ProofSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"proof_{uuid.uuid4().hex}",
        topic_partitions=3,
    )
    await apply_topics(settings)
    return settings


@pytest.fixture
async def tell(settings):
    """Give a function that publishes (topic, record, timestamp)."""
    topics = [EVENTS, STATUS, RECONCILIATIONS, ACKNOWLEDGEMENTS]
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, topics) as producer,
    ):

        async def publish(*told):
            for topic, record, at_ms in told:
                key = account_key(record.venue, record.account)
                await producer.publish([outgoing(topic, key, record, at_ms)])

        publish.producer = producer
        yield publish


@pytest.fixture
async def read(settings):
    """Give a function that returns the last proof of each key, as on the topic."""
    async with (
        Registry(settings.schema_registry_url) as registry,
        Reader(settings, [PROOFS]) as reader,
    ):

        async def proofs():
            places = reader.places(PROOFS)
            starts, ends = await reader.beginnings(places), await reader.ends(places)
            return {
                one.key: await decoded(registry, BalanceProof, one)
                async for batch in reader.read(starts, ends)
                for one in batch
            }

        yield proofs


@pytest.fixture
async def start(settings):
    """Give a function that starts an instance; all are stopped at the end."""
    running = []

    async def start_one():
        parts = Parts()
        task = asyncio.create_task(run(settings, parts))
        running.append(task)
        await asyncio.sleep(0)
        return task, parts

    yield start_one
    for task in running:
        await kill(task)


async def kill(task):
    """End an instance without a word."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(met, seconds=180):
    """Wait until something is true; return it."""
    async with asyncio.timeout(seconds):
        while not (found := await met()):  # noqa: ASYNC110 — the bus tells nobody
            await asyncio.sleep(0.1)
    return found


class Life:
    """One account's records, in real time: it began some minutes ago."""

    def __init__(self, make, account):
        self.make = make
        self.names = {"account": account, "epoch": self.us(0)}

    @staticmethod
    def at(seconds):
        """Return a time, in seconds after the beginning."""
        return BEGAN + timedelta(seconds=seconds)

    def us(self, seconds):
        """Return an epoch."""
        return int(self.at(seconds).timestamp()) * 1_000_000

    def _event(self, made, seconds):
        fields = {"received_at": self.at(seconds), "venue_time": self.at(seconds)}
        fields |= self.names
        values = {name: getattr(made, name) for name in made.__struct_fields__}
        name = f"{self.names['account']} {made.event_id}"
        record = type(made)(**(values | fields | {"event_id": name}))
        return EVENTS, record, int(self.at(seconds).timestamp() * 1000)

    def row(self, balance, seconds):
        """Return a picture of one wallet."""
        return self._event(self.make.row(balance, 0, epoch=1), seconds)

    def update(self, balance, delta, seconds):
        """Return an update."""
        return self._event(self.make.update(balance, delta, 0), seconds)

    def status(self, seconds, last_event):
        """Return a live state."""
        record, _ = self.make.status(
            0, None, last_event_at=self.at(last_event), **self.names
        )
        return STATUS, record, int(self.at(seconds).timestamp() * 1000)

    def alive(self, last_event):
        """Return a state as of now."""
        topic, record, _ = self.status(0, last_event)
        return topic, record, int(time.time() * 1000)

    def comparison(self, seconds):
        """Return a comparison that agrees."""
        record, _ = self.make.comparison(
            0,
            account=self.names["account"],
            requested_at=self.at(seconds),
            answered_at=self.at(seconds),
        )
        return RECONCILIATIONS, record, int(self.at(seconds + 2).timestamp() * 1000)


def verdicts(found):
    """Return key → what a verdict says, but for when it was checked."""
    return {
        key: (one.verdict, one.method, one.reason, one.observed, one.proven_through)
        for key, one in found.items()
    }


async def test_killed_in_the_middle_it_comes_to_the_same_verdicts(
    tell, read, start, make
):
    """What one instance began another ends as one that was never stopped would."""
    lives = [Life(make, account) for account in ACCOUNTS]
    for life in lives:
        await tell(
            life.row("1", 1),
            life.update("1.5", "0.5", 5),
            life.status(10, 5),
            life.comparison(20),
            life.alive(5),
        )
    task, _ = await start()

    async def proven():
        found = await read()
        good = [one for one in found.values() if one.verdict == "PROVEN"]
        return len(good) == len(ACCOUNTS) and found

    await until(proven)
    await kill(task)
    for life in lives:
        await tell(
            life.update("2", "0.5", 30), life.update("9", "0.5", 40), life.alive(40)
        )
    task, parts = await start()

    async def violated():
        found = await read()
        bad = [one for one in found.values() if one.verdict == "VIOLATED"]
        return len(bad) == len(ACCOUNTS) and found

    found = await until(violated)
    assert {(Decimal("2.5"), Decimal(9), Decimal("6.5"))} == {
        (one.expected, one.observed, one.residual) for one in found.values()
    }
    assert {} == parts.missing()
    await kill(task)
    await start()
    await asyncio.sleep(3)
    assert verdicts(found) == verdicts(await read())


def records_read(parts):
    """Return how many records an instance has read; when it is through, many."""
    missing = parts.missing()
    found = re.search(r"topics: ([\d,]+) of", missing.get("books", ""))
    through = 10**9 if "books" not in missing else 0
    return int(found[1].replace(",", "")) if found else through


async def test_killed_while_it_reads_it_says_nothing_wrong(
    tell, read, start, make, monkeypatch
):
    """Wherever it is killed, the next one comes to the verdicts of one that was not."""
    monkeypatch.setattr(service, "BATCH", 3)  # a reading of many steps
    lives = [Life(make, account) for account in ACCOUNTS]
    for life in lives:
        steps = [
            (life.update(str(n + 1), "1", n), life.status(n + 0.5, n))
            for n in range(2, 30)
        ]
        await tell(life.row("2", 1), *(one for step in steps for one in step))
        await tell(life.comparison(40), life.alive(29))
    for count in (1, 20, 100, 200, 350):
        task, parts = await start()
        async with asyncio.timeout(180):
            while records_read(parts) < count:  # noqa: ASYNC110 — it tells nobody
                await asyncio.sleep(0)
        await kill(task)
        assert {"PROVEN"} >= {one.verdict for one in (await read()).values()}
    task, parts = await start()

    async def proven():
        found = await read()
        return len(found) == len(ACCOUNTS) and not parts.missing() and found

    found = await until(proven)
    assert {("PROVEN", Decimal(30), Life.at(40))} == {
        (one.verdict, one.observed, one.proven_through) for one in found.values()
    }


async def test_two_instances_share_the_accounts(tell, read, start, make):
    """Each account is proven by whoever has its partition, also when one is killed."""
    task, first = await start()
    _, second = await start()

    async def ready():
        return not first.missing() and not second.missing()

    await until(ready)
    for account in ACCOUNTS:
        life = Life(make, account)
        await tell(life.row("1", 1), life.update("1.5", "0.5", 5), life.alive(5))

    async def proven():
        found = await read()
        return {one.account for one in found.values()} == set(ACCOUNTS) and found

    found = await until(proven)
    assert {"PROVEN"} == {one.verdict for one in found.values()}
    await start()
    await kill(task)
    for account in ACCOUNTS:
        life = Life(make, account)
        await tell(life.update("2", "0.5", 50), life.alive(50))

    async def moved():
        figures = [one.observed for one in (await read()).values()]
        return [Decimal(2)] * len(ACCOUNTS) == figures

    assert await until(moved)
    assert {"PROVEN"} == {one.verdict for one in (await read()).values()}


async def test_acknowledgement_on_the_bus_settles(tell, read, start, make):
    """Somebody took note, and the next evidence counts again."""
    life = Life(make, "main")
    await tell(life.row("1", 1), life.update("9", "0.5", 5), life.alive(5))
    await start()

    async def said(verdict):
        return [one for one in (await read()).values() if one.verdict == verdict]

    (proof,) = await until(lambda: said("VIOLATED"))
    names = ("venue", "account", "subaccount", "wallet", "wallet_id", "asset")
    note = Acknowledgement(
        **{name: getattr(proof, name) for name in names},
        through=proof.checked_at,
        acknowledged_at=proof.checked_at,
        by="treasury",
        note="agreed with the venue",
    )
    await tell((ACKNOWLEDGEMENTS, note, int(time.time() * 1000)))
    (proof,) = await until(lambda: said("UNPROVEN"))
    assert "acknowledged" in proof.reason
    await tell(life.update("10", "1", 50), life.alive(50))
    (proof,) = await until(lambda: said("PROVEN"))
    assert Decimal(10) == proof.observed


async def test_unreadable_record_is_passed_over(tell, read, start, make):
    """What it told is missed, and missed things do not add up."""
    life = Life(make, "main")
    topic, first, at_ms = life.row("1", 1)
    await tell((topic, first, at_ms))
    key = account_key("kraken", "main")
    await tell.producer.publish([Outgoing(EVENTS, key, first.key, b"\xff", at_ms)])
    await tell(life.update("1.5", "0.5", 5), life.alive(5))
    await start()

    async def proven():
        return [one for one in (await read()).values() if one.verdict == "PROVEN"]

    assert await until(proven)
