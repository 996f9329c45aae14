"""The bus in memory takes records in order, waits and fails when told."""

import asyncio
from datetime import UTC, datetime

import pytest

from balance_schemas.records import RawFrame
from balance_schemas.topics import FRAMES, STATUS
from balance_shared.errors import BusInterrupted
from balance_shared.kafka.producer import outgoing
from balance_shared.testing import InMemoryBus


def frame(index):
    """Return a frame on its way."""
    record = RawFrame(
        venue="kraken",
        account="main",
        feed="ws",
        epoch=1,
        index=index,
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        source="stream",
        part=0,
        parts=1,
        payload=b"{}",
    )
    return outgoing(FRAMES, "kraken|main", record, 0)


async def test_records_are_taken_in_order():
    """What was published can be read, by topic and by key."""
    bus = InMemoryBus()
    await bus.publish([frame(0), frame(1)])
    await bus.publish([frame(2)])
    assert [0, 1, 2] == [record.index for record in bus.read(FRAMES, RawFrame)]
    assert bus.hand_overs == 2
    assert bus.compacted(FRAMES, RawFrame)["kraken|main"].index == 2
    assert [] == bus.read(STATUS, RawFrame)


async def test_failure_is_raised_once_and_takes_nothing():
    """As after a lost connection."""
    bus = InMemoryBus()
    bus.fail(BusInterrupted("gone"))
    with pytest.raises(BusInterrupted):
        await bus.publish([frame(0)])
    await bus.restart()
    await bus.publish([frame(1)])
    assert [1] == [record.index for record in bus.read(FRAMES, RawFrame)]
    assert (1, 1) == (bus.restarts, bus.hand_overs)


async def test_paused_bus_acknowledges_nothing():
    """Publishers wait until it goes on."""
    bus = InMemoryBus()
    bus.pause()
    task = asyncio.create_task(bus.publish([frame(0)]))
    await asyncio.sleep(0)
    assert not task.done()
    bus.resume()
    await task
    assert bus.hand_overs == 1
