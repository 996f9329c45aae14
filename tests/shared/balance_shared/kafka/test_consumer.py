"""Reading: the last of each key, positions of the caller's, and shared partitions."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaProducer

from balance_schemas.codec import encode
from balance_schemas.keys import partition_of
from balance_schemas.records import BalanceEvent, RawFrame
from balance_schemas.topics import FRAMES, LATEST
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Consumer, Outgoing, apply_topics, read_compacted
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

pytestmark = pytest.mark.integration

NOW_MS = int(time.time() * 1000)
"""When records are told: Kafka deletes what is older than its topic keeps, read or not."""

HERE = "kraken|main"
BESIDE = next(
    f"kraken|main{number}"
    for number in range(100)
    if partition_of(f"kraken|main{number}", 4) == partition_of(HERE, 4)
)
"""Another account in the same partition, whose name begins like the first's."""


def balance(asset, amount, account=HERE, epoch=1):
    """Return the current balance of an asset."""
    venue, alias = account.split("|")
    names = dict.fromkeys(
        ("subaccount", "nature", "venue_asset", "asset_class", "network"), ""
    )
    return BalanceEvent(
        **names,
        event_id="e",
        venue=venue,
        account=alias,
        feed="ws",
        wallet="spot",
        wallet_id="main",
        asset=asset,
        kind="update",
        balance=Decimal(amount),
        balance_scope="wallet",
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        epoch=epoch,
    )


def latest(*events):
    """Return balances ready to be published."""
    return [
        outgoing(LATEST, f"{event.venue}|{event.account}", event, NOW_MS)
        for event in events
    ]


@pytest.fixture
def compacted(settings, registry):
    """Give a function that reads the account's current balances: asset → amount."""

    async def current(account=HERE):
        async with asyncio.timeout(120):
            found = await read_compacted(
                settings, registry, LATEST, account, BalanceEvent
            )
        assert all(key == event.key for key, event in found.items())
        return {event.asset: int(event.balance) for event in found.values()}

    return current


@pytest.fixture
async def send(settings, producer):
    """Give a function that writes raw values of the account, as others might.

    With `commit` they go in a transaction that is committed or aborted.
    """

    async def write(*pairs, commit=None):
        stranger = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            transactional_id=None if commit is None else settings.topic_prefix,
        )
        await stranger.start()
        try:
            if commit is not None:
                await stranger.begin_transaction()
            for key, value in pairs:
                await stranger.send_and_wait(
                    LATEST.full_name(settings.topic_prefix),
                    value,
                    key.encode(),
                    partition_of(HERE, 4),
                )
            if commit is True:
                await stranger.commit_transaction()
            elif commit is False:
                await stranger.abort_transaction()
        finally:
            await stranger.stop()

    return write


async def test_empty_topic_holds_nothing(producer, compacted):
    """A new account has no balances."""
    assert await compacted() == {}


async def test_last_of_each_key_is_read(producer, compacted):
    """In topic order, whatever the epoch says: readers judge epochs themselves."""
    await producer.publish(
        latest(
            balance("BTC", 1),
            balance("ETH", 2, epoch=2),
            balance("BTC", 3),
            balance("ETH", 4, epoch=1),
        )
    )
    assert await compacted() == {"BTC": 3, "ETH": 4}


async def test_other_accounts_are_left_out(producer, compacted):
    """An account in the same partition, even one whose name begins alike, is another's."""
    assert BESIDE.startswith(HERE)
    await producer.publish(
        latest(balance("BTC", 1), balance("BTC", 2, BESIDE), balance("ETH", 3, BESIDE))
    )
    assert await compacted() == {"BTC": 1}
    assert await compacted(BESIDE) == {"BTC": 2, "ETH": 3}


async def test_tombstone_takes_a_key_away(producer, send, compacted):
    """A key that was deleted is gone, until it is told anew."""
    first, second = balance("BTC", 1), balance("ETH", 2)
    await producer.publish(latest(first, second))
    await send((first.key, None), (second.key, None))
    await producer.publish(latest(balance("ETH", 3)))
    assert await compacted() == {"ETH": 3}


async def test_aborted_records_were_never_there(producer, send, compacted):
    """What a transaction took back is not read, and its marks hold nothing up."""
    await producer.publish(latest(balance("BTC", 1)))
    aborted = balance("BTC", 2)
    await send((aborted.key, encode(aborted, 1)), commit=False)
    assert await compacted() == {"BTC": 1}
    await send((aborted.key, None), commit=True)
    assert await compacted() == {}


async def test_unreadable_record_of_the_account_is_told(producer, compacted):
    """A connector that cannot tell what readers believe in does not guess."""
    key = balance("BTC", 1).key
    await producer.publish([Outgoing(LATEST, HERE, key, b"\xff", NOW_MS)])
    with pytest.raises(RecordInvalid, match=r"latest.v1\[\d\]@0: not a BalanceEvent"):
        await compacted()
    await producer.publish(latest(balance("BTC", 2)))
    assert await compacted() == {"BTC": 2}


async def test_reading_that_was_given_up_harms_no_other(producer, compacted):
    """A reader may be cancelled at any point; the next one finds all as it was."""
    await producer.publish(latest(balance("BTC", 1)))
    for turns in (1, 2, 3, 5, 8, 13, 21, 34, 55):
        task = asyncio.create_task(compacted())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await compacted() == {"BTC": 1}


async def test_missing_topic_is_waited_for(settings, compacted):
    """A service may start before its topics are there."""
    task = asyncio.create_task(compacted())
    await apply_topics(settings, [LATEST])
    assert await task == {}


async def gather(consumer, count, into):
    """Read until that many records are there."""
    async with asyncio.timeout(120):
        async for batch in consumer.batches(wait_s=0.1):
            for records in batch.values():
                into += records
            if len(into) >= count:
                return


async def test_positions_are_the_callers(settings, registry, producer, make_frame):
    """Reading goes on where the caller says, from the beginning where it does not."""
    frames = [make_frame(f"a{index % 8}", index) for index in range(80)]
    await producer.publish(
        [outgoing(FRAMES, frame.key, frame, NOW_MS) for frame in frames]
    )
    name, asked, found = FRAMES.full_name(settings.topic_prefix), [], []

    async def positions(pairs):
        asked.extend(pairs)
        return {(name, 0): 3}

    async with Consumer(
        settings, registry, [FRAMES], group=name, positions=positions
    ) as consumer:
        await gather(consumer, 77, found)
        assert {(name, number) for number in range(4)} == set(asked)
        assert len({(record.partition, record.offset) for record in found}) == 77
        starts = {}
        for record in found:
            starts.setdefault(record.partition, record.offset)
        assert {0: 3, 1: 0, 2: 0, 3: 0} == starts
        assert 80 == sum((await consumer.end()).values())
        assert {0} == set((await consumer.lag()).values())
        await consumer.seek({(name, 1): 0, ("elsewhere", 9): 0})
        again = []
        await gather(consumer, 1, again)
        assert (1, 0) == (again[0].partition, again[0].offset)
        decoded = await consumer.decode(RawFrame, again[0])
    assert decoded in frames


async def test_what_is_not_wanted_waits_where_it_is(
    settings, registry, producer, make_frame
):
    """A reader that is ahead on one partition takes only the others, then starts anew."""
    frames = [make_frame(f"a{index % 8}", index) for index in range(80)]
    await producer.publish(
        [outgoing(FRAMES, frame.key, frame, NOW_MS) for frame in frames]
    )
    name, found = FRAMES.full_name(settings.topic_prefix), []
    async with Consumer(settings, registry, [FRAMES], fetch_bytes_max=5000) as consumer:
        total = (await consumer.end())[name, 1]
        async with asyncio.timeout(120):
            async for batch in consumer.batches(wait_s=0.1, wanted=lambda: [(name, 1)]):
                assert {(name, 1)} >= set(batch)
                found += batch.get((name, 1), [])
                if len(found) == total:
                    break
        assert total == (await consumer.read())[name, 1]
        assert 0 == (await consumer.read())[name, 0]
        await consumer.start_over()
        assert {0} == set((await consumer.read()).values())
        again = []
        await gather(consumer, 80, again)
    assert 80 == len(again)


async def test_partitions_are_shared_and_taken_over(
    settings, registry, producer, make_frame
):
    """A second reader takes half; when it goes the first has all again, from its place."""
    name, stored = FRAMES.full_name(settings.topic_prefix), {}
    frames = [make_frame(f"a{index}", index) for index in range(40)]

    async def positions(pairs):
        assigned[:] = pairs
        return stored

    async def read(consumer):
        async for batch in consumer.batches(wait_s=0.1):
            for place, records in batch.items():
                seen.extend(record.offset + 1000 * place[1] for record in records)
                stored[place] = records[-1].offset + 1

    async def until(met):
        async with asyncio.timeout(120):
            while not met():  # noqa: ASYNC110 — Kafka tells nobody
                await asyncio.sleep(0.02)

    assigned, seen = [], []
    options = {"group": name, "positions": positions}
    async with Consumer(settings, registry, [FRAMES], **options) as first:
        reading = asyncio.create_task(read(first))
        await producer.publish(
            [outgoing(FRAMES, f.key, f, NOW_MS) for f in frames[:20]]
        )
        await until(lambda: len(seen) == 20)
        async with Consumer(settings, registry, [FRAMES], group=name) as second:
            await until(lambda: len(first._running().assignment()) == 2)
            assert len(second._running().assignment()) == 2
        await until(lambda: len(assigned) == 4)
        await producer.publish(
            [outgoing(FRAMES, f.key, f, NOW_MS) for f in frames[20:]]
        )
        await until(lambda: len(seen) >= 40)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert len(set(seen)) == len(seen) == 40


async def test_tombstone_and_garbage_are_invalid(
    settings, registry, producer, send, read
):
    """Consumers dead-letter them and go on; the text says where they lie."""
    await send(("k", None), ("k", b"\1garbage"), ("k", b"\0\xff\xff\xff\xff"))
    records = await read(3, LATEST)
    texts = ("no value", "no Confluent header", "no schema 4294967295")
    async with Consumer(settings, registry, [LATEST]) as consumer:
        for record, text in zip(records, texts, strict=True):
            place = rf"latest\.v1\[\d\]@{record.offset}: "
            with pytest.raises(RecordInvalid, match=f"{place}.*{text}"):
                await consumer.decode(BalanceEvent, record)


async def test_consumer_is_used_as_a_context():
    """Using it otherwise is a bug, told as one."""
    unopened = Consumer(ServiceSettings(), Registry("http://localhost:1"), [LATEST])
    with pytest.raises(RuntimeError, match="context manager"):
        await unopened.end()
