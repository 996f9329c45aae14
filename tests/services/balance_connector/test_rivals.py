"""Who tells an account is heard by its statuses."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from balance_connector.rivals import SILENT_S, Overtaken, Rivals
from balance_schemas.records import ConnectorStatus
from balance_schemas.topics import STATUS
from balance_shared.errors import BusInterrupted
from balance_shared.kafka import outgoing
from balance_shared.testing import InMemoryBus, InMemoryRecall, ManualClock


class Heard:
    """A listener on a bus in memory."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bus = InMemoryBus()
        self.recall = InMemoryRecall(self.bus)
        self.rivals = Rivals(self.recall, "ours", self.clock)
        self.below = 0

    @asynccontextmanager
    async def waiting(self, running):
        """Run something that waits while the context lasts."""
        task = asyncio.create_task(running)
        await self.clock.advance(0)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def overtake(self, ours: int):
        """Wait for a greater epoch, and count what is told below ours."""

        def below(_who):
            self.below += 1

        return self.rivals.overtake(lambda: ours, below)

    async def tell(self, epoch: int, feed="ws", instance="other", state="live") -> None:
        """Tell a status as a process does."""
        status = ConnectorStatus(
            venue="kraken",
            account="main",
            feed=feed,
            state=state,
            reason="",
            epoch=epoch,
            since=self.clock.now(),
            instance=instance,
            version="1",
        )
        await self.bus.publish([outgoing(STATUS, "kraken|main", status, 0)])
        await self.clock.advance(0)


async def test_a_greater_epoch_is_anothers():
    """Our own statuses are not heard, whatever their epoch."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)) as task:
        await heard.tell(4, instance="ours")
        await heard.tell(6, instance="ours")
        assert not task.done()
        assert 0 == heard.below
        await heard.tell(6, instance="newer")
        with pytest.raises(Overtaken, match="newer tells it"):
            await task


async def test_of_one_epoch_the_greater_name_tells():
    """Two processes that begin in the same microsecond do not both go on."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)) as task:
        await heard.tell(5, instance="another")
        assert not task.done()
        await heard.tell(5, instance="yet another")
        with pytest.raises(Overtaken, match="yet another"):
            await task


async def test_who_has_no_epoch_yet_is_not_overtaken():
    """A process that starts hears the one before it, and goes on."""
    heard = Heard()
    async with heard.waiting(heard.overtake(0)) as task:
        await heard.tell(6)
        assert not task.done()
        assert 6 == heard.rivals.epoch


async def test_what_is_told_below_us_is_noticed():
    """What another told last may lie over our words."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)) as task:
        await heard.tell(4)
        assert not task.done()
        assert 1 == heard.below


@pytest.mark.parametrize("state", ["connecting", "stale", "refused", "stopped"])
async def test_who_was_not_let_in_overtakes_nobody(state):
    """A process with a wrong key takes no account from one that works."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)) as task:
        await heard.tell(6, state=state)
        assert not task.done()
        await heard.tell(6, state="syncing")
        assert isinstance(task.exception(), Overtaken)


async def test_polls_beside_a_stream_overtake_nobody():
    """They have epochs of their own; polls without one own the account."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)) as task:
        await heard.tell(4, feed="ws", instance="both")
        await heard.tell(6, feed="rest", instance="both")
        assert not task.done()
        assert 1 == heard.below
        await heard.tell(6, feed="rest", instance="polls")
        assert isinstance(task.exception(), Overtaken)


async def test_silence_is_counted_from_the_newest_status():
    """Statuses of an older epoch keep nobody waiting."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)):
        await heard.tell(6)
    async with heard.waiting(heard.rivals.silence()) as task:
        await heard.clock.advance(SILENT_S - 1)
        await heard.tell(6)
        await heard.clock.advance(SILENT_S - 1)
        await heard.tell(5)
        assert not task.done()
        await heard.clock.advance(2)
        assert task.done()


@pytest.mark.parametrize("state", ["stopped", "refused"])
async def test_last_words_end_the_wait(state):
    """Who said that it ends needs not be waited for."""
    heard = Heard()
    async with heard.waiting(heard.overtake(5)):
        await heard.tell(6)
    async with heard.waiting(heard.rivals.silence()) as task:
        await heard.clock.advance(10)
        await heard.tell(6, state=state)
        await heard.clock.advance(1)
        assert task.done()


async def test_a_bus_that_fails_is_asked_again():
    """Who is not heard now tells a status again soon."""
    heard, failures = Heard(), [BusInterrupted("gone")]
    hear = heard.recall.statuses

    async def statuses():
        if failures:
            raise failures.pop()
        async for status in hear():
            yield status

    heard.recall.statuses = statuses
    async with heard.waiting(heard.overtake(5)) as task:
        await heard.clock.advance(10)
        await heard.tell(6)
        assert isinstance(task.exception(), Overtaken)
