"""The hand-over: order, bounds, age, failure."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from balance_connector.outbox import AGE_S_MAX, FRAMES_MAX, Entry, Outbox
from balance_connector.status import Counts
from balance_schemas.topics import EVENTS, STATUS
from balance_shared.errors import BusInterrupted, PublishError
from balance_shared.kafka import Outgoing
from balance_shared.testing import InMemoryBus, ManualClock
from balance_shared.testing.clock import settle


@pytest.fixture(name="clock")
def _clock():
    return ManualClock()


@pytest.fixture(name="bus")
def _bus():
    return InMemoryBus()


@pytest.fixture(name="outbox")
def _outbox(bus, clock):
    return Outbox(bus, clock, Counts(("kraken", "main", "ws")), lambda _reason: None)


@asynccontextmanager
async def running(outbox):
    """Run the hand-over while the context lasts."""
    task = asyncio.create_task(outbox.run())
    try:
        yield task
    finally:
        task.cancel()


def entry(key: str, born_s: float = 0.0, *, is_status: bool = False) -> Entry:
    """Return an entry of one record."""
    topic = STATUS if is_status else EVENTS
    record = Outgoing(topic, "kraken|main", key, b"body", 0)
    return Entry([record], born_s, frames=0 if is_status else 1, is_status=is_status)


def keys(bus, topic=EVENTS):
    """Return the keys that arrived."""
    return [record.key for record in bus.records[topic.name]]


async def test_what_gathers_goes_together_and_in_order(bus, outbox):
    """One call for all that waited, in the order of the frames."""
    for number in range(5):
        outbox.put(entry(str(number)))
    async with running(outbox):
        await outbox.drained()

    assert ["0", "1", "2", "3", "4"] == keys(bus)
    assert 1 == bus.hand_overs
    assert 0 == outbox.frames


async def test_status_waits_for_what_came_before(bus, outbox):
    """Who reads live finds the picture acknowledged."""
    outbox.put(entry("picture"))
    outbox.put(entry("live", is_status=True))
    outbox.put(entry("update"))
    bus.pause()
    async with running(outbox):
        await settle()
        before = keys(bus, STATUS)
        bus.resume()
        await outbox.drained()

    assert [] == before
    assert ["live"] == keys(bus, STATUS)
    assert 3 == bus.hand_overs


async def test_what_was_put_so_far_can_be_waited_for(bus, outbox):
    """Not for what comes later; what is dropped is waited for no longer."""
    async with running(outbox):
        await outbox.acknowledged()
        outbox.put(entry("early"))
        await outbox.acknowledged()
        early = keys(bus)
        bus.pause()
        outbox.put(entry("late"))
        waiting = asyncio.create_task(outbox.acknowledged())
        await settle()
        late = waiting.done()
        bus.fail(BusInterrupted("gone"))
        bus.resume()
        await waiting

    assert (["early"], False) == (early, late)
    assert (["early"], 1) == (keys(bus), outbox.losses)


async def test_full_outbox_says_so_until_there_is_room(bus, outbox):
    """Sockets stop being read while nothing is acknowledged."""
    bus.pause()
    for number in range(FRAMES_MAX):
        outbox.put(entry(str(number)))
    async with running(outbox):
        await settle()
        full = outbox.full
        bus.resume()
        await outbox.room()
        await outbox.drained()

    assert full
    assert not outbox.full
    assert FRAMES_MAX == len(keys(bus))


async def test_late_frames_are_not_published(bus, outbox, clock):
    """A process that was paused drops what it held, the status behind it too."""
    outbox.put(entry("late"))
    outbox.put(entry("status", is_status=True))
    await clock.advance(AGE_S_MAX + 1)
    async with running(outbox):
        await outbox.drained()

    assert [] == keys(bus)
    assert [] == keys(bus, STATUS)
    assert 1 == outbox.losses
    assert 0 == outbox.frames


async def test_interruption_drops_what_waits_and_starts_afresh(bus, outbox):
    """What is lost is counted, so that feeds take a new picture."""
    bus.fail(BusInterrupted())
    outbox.put(entry("lost"))
    async with running(outbox):
        await outbox.drained()
        outbox.put(entry("after"))
        await outbox.drained()

    assert ["after"] == keys(bus)
    assert (1, 1) == (bus.restarts, outbox.losses)
    assert 0 == outbox.frames


async def test_what_comes_during_the_restart_is_of_a_lost_epoch(bus, outbox):
    """The loss is counted before anything else can be put in."""
    seen = []

    async def restart():
        seen.append(outbox.losses)

    bus.restart = restart
    bus.fail(BusInterrupted())
    outbox.put(entry("lost"))
    async with running(outbox):
        await outbox.drained()

    assert [1] == seen


async def test_refusal_of_the_bus_ends_the_hand_over(bus, outbox):
    """A bus that will not take records ends the process."""
    bus.fail(PublishError("no permission"))
    outbox.put(entry("refused"))
    async with running(outbox) as task:
        with pytest.raises(PublishError, match="no permission"):
            await task
