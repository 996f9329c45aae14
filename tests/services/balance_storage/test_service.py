"""Storage on the real bus: nothing is lost or stored twice, whatever fails."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import DEVNULL, create_subprocess_exec
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from msgspec import structs
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from balance_schemas.codec import encode_body
from balance_schemas.keys import account_key
from balance_schemas.records import (
    ConnectorStatus,
    DeadLetter,
    Difference,
    RawFrame,
    Reconciliation,
)
from balance_schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    FRAMES,
    RECONCILIATIONS,
    STATUS,
)
from balance_shared import telemetry
from balance_shared.errors import PublishError, SettingsError
from balance_shared.kafka import Consumer, Outgoing, Producer
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_storage.schema import migrate
from balance_storage.service import run

pytestmark = pytest.mark.integration

PROGRAM = Path(sys.executable).with_name("balancebus")
ACCOUNTS = 6


def history(make_event, start, stop):
    """Return updates of a few balances of a few accounts, all facts different."""
    return [
        make_event(
            event_id=f"id-{number}",
            account=f"a{number % ACCOUNTS}",
            asset=f"C{number % 5}",
            balance=Decimal(f"{number}.000000000000000001"),
            sequence=number,
        )
        for number in range(start, stop)
    ]


def check(bus, events):
    """Compare what is stored with what was published."""
    stored = dict(bus.select("SELECT event_id, balance FROM balancebus.events"))
    assert {event.event_id: event.balance for event in events} == stored
    last = {event.key: (event.balance, event.event_id) for event in events}
    assert last == bus.balances()


async def test_restart_goes_on_where_the_rows_end(bus, make_event, until):
    """What is stored before and after a restart is everything, once."""
    events = history(make_event, 0, 600)
    await bus.publish(events[:300])
    async with bus.instance() as parts:
        await bus.until_taken(300)
        await until(lambda: not parts.missing())
    await bus.publish(events[300:])
    async with bus.instance():
        await bus.until_taken(600)
    check(bus, events)


async def test_right_that_is_taken_away_ends_it_in_one_line(bus, make_event):
    """What is missing is named; what came before is stored, the rest waits in Kafka."""
    owner = bus.settings.postgres_dsn.get_secret_value()
    migrate(owner)
    events = history(make_event, 0, 20)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE ROLE revoked_test LOGIN")
        connection.execute("GRANT balancebus_writer TO revoked_test")
        try:
            dsn = SecretStr(make_conninfo(owner, user="revoked_test"))
            settings = bus.settings.model_copy(update={"postgres_dsn": dsn})
            task = asyncio.create_task(run(settings, Parts()))
            await bus.publish(events[:10])
            await bus.until_taken(10)
            connection.execute(
                "REVOKE INSERT ON balancebus.tellings FROM balancebus_writer"
            )
            await bus.publish(events[10:])
            with pytest.raises(SettingsError, match="lacks INSERT on tellings: GRANT"):
                async with asyncio.timeout(60):
                    await task
        finally:
            connection.execute("DROP OWNED BY revoked_test")
            connection.execute("DROP ROLE revoked_test")
    assert 10 == bus.taken()
    check(bus, events[:10])


async def test_facts_told_twice_are_consumed_once_stored(bus, make_event):
    """Repeated ids move the position on, and change nothing."""
    events = history(make_event, 0, 100)
    await bus.publish(events)
    await bus.publish(events[:50])
    async with bus.instance():
        await bus.until_taken(150)
    check(bus, events)


async def test_instances_that_come_and_go_share_the_work(bus, make_event):
    """Rebalances in the middle of the traffic lose and repeat nothing."""
    events = history(make_event, 0, 6000)

    async def publish():
        for start in range(0, len(events), 100):
            await bus.publish(events[start : start + 100])
            await asyncio.sleep(0.05)

    publishing = asyncio.create_task(publish())
    async with bus.instance():
        for _ in range(3):
            async with bus.instance():
                await asyncio.sleep(0.7)
        await publishing
        await bus.until_taken(len(events))
    check(bus, events)


async def test_two_consumers_of_the_same_partitions_store_once(
    bus, make_event, monkeypatch
):
    """Even instances that do not know of one another get in nobody's way."""
    events = history(make_event, 0, 3000)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bus.instance())
        await bus.publish(events[:1])
        await bus.until_taken(1)
        original = Consumer.__init__

        def in_another_group(self, *args, group=None, **options):
            original(self, *args, group=f"{group}.other", **options)

        monkeypatch.setattr(Consumer, "__init__", in_another_group)
        await stack.enter_async_context(bus.instance())
        for start in range(1, len(events), 100):
            await bus.publish(events[start : start + 100])
        await bus.until_taken(len(events))
    check(bus, events)


def move(bus, partition, offset):
    """Move a stored position, as another instance or an operator would."""
    with psycopg.connect(bus.settings.postgres_dsn.get_secret_value()) as connection:
        connection.execute(
            "UPDATE balancebus.consumer_offsets SET next_offset = %s"
            " WHERE topic = %s AND topic_partition = %s",
            (offset, EVENTS.full_name(bus.settings.topic_prefix), partition),
        )


def partition_of_main(bus):
    """Return the partition of the default account, which has all the records."""
    ((partition,),) = bus.select(
        "SELECT topic_partition FROM balancebus.consumer_offsets WHERE next_offset > 0"
    )
    return partition


async def test_moved_position_is_followed(bus, make_event):
    """Who finds the position elsewhere reads on from there."""
    events = [make_event(event_id=f"id-{number}") for number in range(60)]
    async with bus.instance():
        await bus.publish(events[:50])
        await bus.until_taken(50)
        move(bus, partition_of_main(bus), 20)
        await bus.publish(events[50:])
        await bus.until_taken(60)
    check(bus, events)


async def test_topic_made_anew_is_refused(bus, make_event):
    """Its records would be taken for those that are stored."""
    events = [make_event(event_id=f"id-{number}") for number in range(10)]
    await bus.publish(events[:5])
    async with bus.instance():
        await bus.until_taken(5)
    move(bus, partition_of_main(bus), 1000)
    await bus.publish(events[5:])
    with pytest.raises(PublishError, match="made anew"):
        await asyncio.wait_for(run(bus.settings, Parts()), 120)


async def test_records_that_retention_deleted_are_counted(bus, make_event):
    """What was gone before it was read is never passed over in silence."""
    events = [make_event(event_id=f"id-{number}") for number in range(30)]
    await bus.publish(events[:10])
    async with bus.instance():
        await bus.until_taken(10)
    await bus.publish(events[10:])
    topic = EVENTS.full_name(bus.settings.topic_prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=bus.settings.kafka_bootstrap_servers)
    await admin.start()
    place = TopicPartition(topic, partition_of_main(bus))
    await admin.delete_records({place: RecordsToDelete(before_offset=25)})
    await admin.close()
    async with bus.instance():
        await bus.until_taken(30)
    check(bus, events[:10] + events[25:])
    assert telemetry.RECORDS_GONE.labels("storage", topic)._value.get() == 15


async def test_killed_in_the_middle_nothing_is_lost_or_repeated(bus, make_event, until):
    """Being killed at any point needs no hand."""
    events = history(make_event, 0, 13_000)
    await bus.publish(events[:12_000])
    settings = {
        "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": bus.settings.kafka_bootstrap_servers,
        "BALANCEBUS_SCHEMA_REGISTRY_URL": bus.settings.schema_registry_url,
        "BALANCEBUS_POSTGRES_DSN": bus.settings.postgres_dsn.get_secret_value(),
        "BALANCEBUS_TOPIC_PREFIX": bus.settings.topic_prefix,
        "BALANCEBUS_HTTP_HOST": "127.0.0.1",
        "BALANCEBUS_HTTP_PORT": "0",
    }
    environment = os.environ | settings
    process = await create_subprocess_exec(
        PROGRAM, "storage", env=environment, stdout=DEVNULL, stderr=DEVNULL
    )
    await until(lambda: bus.taken() > 0)
    process.kill()
    await process.wait()
    await bus.publish(events[12_000:])
    # Kafka gives the partitions to another once the killed one's session is over.
    async with bus.instance():
        await bus.until_taken(len(events))
    check(bus, events)


async def test_database_that_restarts_is_waited_for(bus, stack, make_event, until):
    """Storage stops, says which part is missing, and catches up."""
    if stack.runner is None:
        pytest.skip("the parts run elsewhere and are not ours to restart")
    events = history(make_event, 0, 200)
    async with bus.instance() as parts:
        await bus.publish(events[:100])
        await bus.until_taken(100)
        await asyncio.to_thread(stack.kill, "postgres")
        try:
            await bus.publish(events[100:])
            await until(lambda: "database" in parts.missing())
        finally:
            await asyncio.to_thread(stack.start, "postgres")
        await bus.until_taken(200)
        await until(lambda: not parts.missing())
    check(bus, events)


async def test_kafka_that_restarts_is_waited_for(bus, stack, make_event, until):
    """Storage says that Kafka does not answer, and goes on when it does."""
    if stack.runner is None:
        pytest.skip("the parts run elsewhere and are not ours to restart")
    events = history(make_event, 0, 200)
    async with bus.instance() as parts:
        await bus.publish(events[:100])
        await bus.until_taken(100)
        await asyncio.to_thread(stack.kill, "kafka-1")
        try:
            await until(lambda: "kafka" in parts.missing())
        finally:
            await asyncio.to_thread(stack.start, "kafka-1")
        await bus.publish(events[100:])
        await bus.until_taken(200)
        await until(lambda: not parts.missing())
    check(bus, events)


async def test_poison_is_put_aside_and_the_rest_stored(bus, make_event):
    """What cannot be read or held becomes a dead letter; what follows is stored."""
    account = account_key("kraken", "main")
    good = [make_event(event_id=f"id-{number}") for number in range(3)]
    await bus.publish(good[:1])
    await bus.publish_poison(account, b"\xff\xff\xff")
    await bus.publish(good[1:2])
    nul = make_event(event_id="nul", venue_asset="\0")
    await bus.publish_poison(account, encode_body(nul))
    await bus.publish(good[2:])
    counter = telemetry.DEAD_LETTERS.labels("storage", "invalid_record")
    before = counter._value.get()
    async with bus.instance():
        await bus.until_taken(5)
    check(bus, good)
    assert before + 2 == counter._value.get()
    letters = await dead_letters(bus.settings, 2)
    assert [letter.source_offset for letter in letters] == [1, 3]
    assert {"kraken|main"} == {letter.key for letter in letters}
    assert letters[0].payload.endswith(b"\xff\xff\xff")
    assert "NUL" in letters[1].error


async def publish_others(settings, told, poison=()):
    """Write records of other topics as their services would."""
    topics = {topic for topic, _ in told}
    now_ms = int(time.time() * 1000)  # Kafka deletes what is older than a topic keeps
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, topics) as producer,
    ):
        for topic, record in told:
            await producer.publish([outgoing(topic, "kraken|main", record, now_ms)])
        for topic in poison:
            await producer.publish(
                [Outgoing(topic, "kraken|main", "kraken|main", b"\xff", now_ms)]
            )


STATUS_OF_MAIN = ConnectorStatus(
    venue="kraken",
    account="main",
    feed="ws",
    state="live",
    reason="",
    epoch=2,
    since=datetime(2026, 3, 1, tzinfo=UTC),
    instance="i",
    version="1",
)


async def test_status_of_an_older_epoch_changes_nothing(bus):
    """A connector that lives on after its successor does not speak for the feed."""
    told = [
        (STATUS, STATUS_OF_MAIN),
        (STATUS, structs.replace(STATUS_OF_MAIN, epoch=1, state="stale")),
        (STATUS, structs.replace(STATUS_OF_MAIN, state="degraded", reason="row")),
        (STATUS, structs.replace(STATUS_OF_MAIN, epoch=1, state="stopped")),
    ]
    await publish_others(bus.settings, told)
    async with bus.instance():
        await bus.until_taken(4)
    assert [("degraded", "row", 2)] == bus.select(
        "SELECT state, reason, epoch FROM balancebus.status"
    )


async def test_reconciliations_come_with_their_differences(bus):
    """A difference is a row; poison among them is put aside with its position."""
    amount = Decimal("-0.000000000000000001")
    difference = Difference(
        subaccount="",
        wallet="spot",
        wallet_id="main",
        asset="BTC",
        observed=Decimal(1),
        residual=amount,
        cause="unknown",
    )
    at = datetime(2026, 3, 1, tzinfo=UTC)
    reconciled = Reconciliation(
        venue="kraken",
        account="main",
        requested_at=at,
        answered_at=at,
        verdict="inconsistent",
        checked=3,
        differences=(difference, difference),
    )
    await publish_others(
        bus.settings, [(RECONCILIATIONS, reconciled)] * 2, [RECONCILIATIONS]
    )
    async with bus.instance():
        await bus.until_taken(3)
    assert [("inconsistent", 3)] == bus.select(
        "SELECT verdict, checked FROM balancebus.reconciliations"
    )
    assert [(0, None, Decimal(1), amount), (1, None, Decimal(1), amount)] == bus.select(
        "SELECT line, streamed, observed, residual"
        " FROM balancebus.reconciliation_differences ORDER BY line"
    )
    (letter,) = await dead_letters(bus.settings, 1)
    assert 2 == letter.source_offset
    assert letter.source_topic == RECONCILIATIONS.full_name(bus.settings.topic_prefix)


async def test_frames_are_stored_when_asked_for(bus):
    """Raw frames are kept byte for byte, if the setting says so."""
    settings = bus.settings.model_copy(update={"storage_frames": True})
    frame = RawFrame(
        venue="kraken",
        account="main",
        feed="ws",
        epoch=1,
        index=7,
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        source="stream",
        part=0,
        parts=1,
        payload=b"{\0}",
    )
    await publish_others(settings, [(FRAMES, frame)])
    async with bus.instance():
        await asyncio.sleep(0.5)
    assert 0 == bus.taken()
    bus.settings = settings
    async with bus.instance():
        await bus.until_taken(1)
    assert [(7, b"{\0}", 0)] == bus.select(
        "SELECT index, payload, topic_offset FROM balancebus.frames"
    )


async def dead_letters(settings, count):
    """Return the dead letters on the bus, once there are that many."""
    letters = []
    async with (
        Registry(settings.schema_registry_url) as registry,
        Consumer(settings, registry, [DEAD_LETTERS]) as consumer,
    ):
        batches = consumer.batches()
        while len(letters) < count:
            for records in (await anext(batches)).values():
                letters += [await consumer.decode(DeadLetter, r) for r in records]
    return letters
