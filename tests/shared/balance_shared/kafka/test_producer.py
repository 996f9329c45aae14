"""What is published arrives once, in order, an account's records side by side."""

import asyncio
import time
from collections import defaultdict

import pytest

from balance_schemas.codec import decode, encode_body
from balance_schemas.keys import account_key, partition_of
from balance_schemas.records import RawFrame
from balance_schemas.topics import FRAMES, RECONCILIATIONS
from balance_shared.errors import BusInterrupted, PublishError
from balance_shared.kafka import Outgoing, Producer
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

pytestmark = pytest.mark.integration


NOW_MS = int(time.time() * 1000)


def on_its_way(frame, topic=FRAMES):
    """Return a frame ready to be published."""
    return outgoing(topic, frame.key, frame, NOW_MS)


async def test_records_keep_their_order_and_place(producer, read, make_frame):
    """Each account has one partition, the same on every topic, and order in it."""
    frames = [make_frame(f"a{number % 7}", number) for number in range(700)]
    for topic in (FRAMES, RECONCILIATIONS):
        await producer.publish([on_its_way(frame, topic) for frame in frames[:300]])
        await producer.publish([on_its_way(frame, topic) for frame in frames[300:]])
    found = defaultdict(list)
    for record in await read(1400, FRAMES, RECONCILIATIONS):
        assert partition_of(record.key, 4) == record.partition
        assert record.time_ms == NOW_MS
        found[record.topic, record.key].append(decode(RawFrame, record.value))
    assert len(found) == 14
    for (_, key), records in found.items():
        assert [frame for frame in frames if frame.key == key] == records


async def test_large_records_are_split_over_batches(producer, read, make_frame):
    """More than a batch takes goes in several, in order; the largest frame fits."""
    sizes = (400_000, 400_000, 400_000, 10, 900_000, 900_000, 10)
    frames = [
        make_frame(index=index, payload=bytes([index]) * size)
        for index, size in enumerate(sizes)
    ]
    await producer.publish([on_its_way(frame) for frame in frames])
    found = await read(len(frames), FRAMES)
    assert frames == [decode(RawFrame, record.value) for record in found]


async def test_record_too_large_is_refused_before_anything_is_sent(
    producer, read, make_frame
):
    """Half of a hand-over is never written, and the producer goes on."""
    small, large = make_frame(), make_frame(payload=b"x" * 1_100_000)
    with pytest.raises(PublishError, match=r"1100\d+ bytes for .*frames.v1 is too"):
        await producer.publish([on_its_way(small), on_its_way(large)])
    await producer.publish([on_its_way(make_frame(index=5))])
    (record, *_) = await read(1, FRAMES)
    assert (0, 5) == (record.offset, decode(RawFrame, record.value).index)


async def test_nothing_to_publish_is_done_at_once(producer):
    """An empty hand-over is none."""
    await producer.publish([])


async def test_record_without_key_goes_with_its_account(producer, read, make_frame):
    """The account decides the place, the key does not."""
    body = encode_body(make_frame())
    await producer.publish([Outgoing(FRAMES, "kraken|main", None, body, NOW_MS)])
    (record,) = await read(1, FRAMES)
    assert (None, partition_of("kraken|main", 4)) == (record.key, record.partition)


async def test_killed_broker_loses_and_repeats_nothing(
    stack, producer, read, make_frame
):
    """Publishing goes on through kill -9, and everything arrives once, in order."""
    if stack.runner is None:
        pytest.skip("the broker is not ours to kill")
    frames = [make_frame(f"a{index % 3}", index) for index in range(600)]

    async def publish():
        for start in range(0, len(frames), 20):
            await producer.publish(
                [on_its_way(frame) for frame in frames[start : start + 20]]
            )
            if start == 100:
                under_way.set()

    under_way = asyncio.Event()
    task = asyncio.create_task(publish())
    await under_way.wait()
    await asyncio.to_thread(stack.kill, "kafka-1")
    await asyncio.to_thread(stack.start, "kafka-1")
    async with asyncio.timeout(60):
        await task
    found = [decode(RawFrame, record.value) for record in await read(600, FRAMES)]
    for account in ("a0", "a1", "a2"):
        assert [frame for frame in frames if frame.account == account] == [
            frame for frame in found if frame.account == account
        ]


async def test_restarted_producer_publishes_again(producer, read, make_frame):
    """After `BusInterrupted` a fresh start is one call."""
    await producer.publish([on_its_way(make_frame(index=0))])
    await producer.restart()
    await producer.publish([on_its_way(make_frame(index=1))])
    found = [decode(RawFrame, record.value).index for record in await read(2, FRAMES)]
    assert found == [0, 1]


async def test_stopped_producer_says_so(settings, registry, producer, make_frame):
    """A hand-over to a producer that was closed under it is an interruption."""
    async with Producer(settings, registry, [FRAMES]) as other:
        await other._producer.stop()
        with pytest.raises(BusInterrupted):
            await other.publish([on_its_way(make_frame())])


async def test_producer_is_used_as_a_context(make_frame):
    """Using it otherwise is a bug, told as one."""
    unopened = Producer(ServiceSettings(), Registry("http://localhost:1"), [FRAMES])
    with pytest.raises(RuntimeError, match="context manager"):
        await unopened.publish([on_its_way(make_frame())])
    assert account_key("kraken", "main") == make_frame().key
