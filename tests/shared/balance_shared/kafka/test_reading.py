"""Stretches of a topic are read from one offset to another, and no further."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from balance_schemas.keys import partition_of
from balance_schemas.topics import EVENTS
from balance_shared.errors import BusInterrupted
from balance_shared.kafka import Consumer, Outgoing, Reader, reading

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)
HERE = "kraken|main"


def number(count, start=0):
    """Return records with numbers as keys, a second apart."""
    first = int(NOW.timestamp() * 1000)
    return [
        Outgoing(EVENTS, HERE, str(one), b"", first + one * 1000)
        for one in range(start, start + count)
    ]


async def keys(reader, starts, ends):
    """Return the keys that are read."""
    return [
        int(record.key) async for batch in reader.read(starts, ends) for record in batch
    ]


@pytest.fixture
def place(settings):
    """Give the partition that is written."""
    return EVENTS.full_name(settings.topic_prefix), partition_of(HERE, 4)


async def test_a_stretch_is_read_and_no_more(settings, producer, place):
    """The end is where it is said to be, though more is there."""
    await producer.publish(number(20))
    async with Reader(settings, [EVENTS]) as reader:
        places = reader.places(EVENTS)
        ends = await reader.ends(places)
        begun = await reader.beginnings(places)
        assert {20, 0} == set(ends.values())
        assert {0} == set(begun.values())
        assert list(range(20)) == await keys(reader, begun, ends)
        assert list(range(5, 12)) == await keys(reader, {place: 5}, {place: 12})
        assert [] == await keys(reader, {place: 5}, {place: 5})
        assert [] == await keys(reader, {}, ends)


async def test_nothing_is_fetched_beyond_the_end(settings, producer, place):
    """Kafka would answer after half a second, and the next question would wait for it."""
    await producer.publish(number(3))
    async with Reader(settings, [EVENTS]) as reader:
        assert [0, 1, 2] == await keys(reader, {place: 0}, {place: 3})
        assert {place} == reader._running().paused()
        assert [1, 2] == await keys(reader, {place: 1}, {place: 3})


async def test_a_time_is_found(settings, producer, place):
    """The first record at or after it, or none."""
    await producer.publish(number(10))
    async with Reader(settings, [EVENTS]) as reader:
        at = NOW + timedelta(seconds=3, milliseconds=500)
        assert {place: 4} == await reader.since({place: at})
        assert {} == await reader.since({place: NOW + timedelta(hours=1)})


async def test_a_group_goes_on_where_it_committed(settings, producer, registry, place):
    """Positions are kept at the broker, for places that have one."""
    await producer.publish(number(10))
    group = f"{settings.topic_prefix}.test"
    async with Consumer(settings, registry, [EVENTS], group=group) as consumer:
        async with asyncio.timeout(120):
            async for batch in consumer.batches():
                if batch:
                    break
        assert {} == await consumer.committed([place])
        await consumer.commit({place: 7})
        await consumer.commit({})
        assert {place: 7} == await consumer.committed([place, (place[0], 0)])


async def test_missing_topic_is_named(settings, monkeypatch):
    """Nobody waits for a topic that nobody makes."""
    monkeypatch.setattr(reading, "START_S_MAX", 1.0)
    with pytest.raises(
        BusInterrupted, match=rf"no topic {settings.topic_prefix}.events"
    ):
        async with Reader(settings, [EVENTS]):
            pytest.fail("it was opened")


async def test_a_place_is_followed_from_its_end(settings, producer, place, monkeypatch):
    """What was there is not told, what comes is, in order, and no other place's."""
    await producer.publish(number(3))
    knows_the_end = asyncio.Event()
    async with Reader(settings, [EVENTS]) as reader:
        ask = reader.ends

        async def ends(places):
            found = await ask(places)
            knows_the_end.set()
            return found

        monkeypatch.setattr(reader, "ends", ends)
        followed = reader.follow(place)
        first = asyncio.ensure_future(anext(followed))
        await knows_the_end.wait()
        elsewhere = [structs.replace(*number(1), account="bitfinex|main")]
        await producer.publish(elsewhere + number(3, start=3))
        assert ["3", "4", "5"] == [
            record.key
            for record in [await first, *[await anext(followed) for _ in "45"]]
        ]
        await followed.aclose()
