"""Two batches on their way: whatever fails in between, no record is lost or repeated."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_schemas.topics import EVENTS
from balance_shared.kafka import Incoming
from balance_shared.service import Parts
from balance_shared.settings import StorageSettings
from balance_storage import service
from balance_storage.database import PositionsMoved
from balance_storage.lag import Lag
from balance_storage.service import Storage

SETTINGS = StorageSettings(postgres_dsn="host=none")
PLACE = (EVENTS.full_name(SETTINGS.topic_prefix), 0)
RECORDS = 60


@pytest.fixture(autouse=True, scope="module")
def busy_house():
    """Let house be kept before each batch: that takes a while, with one in hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "HOUSEKEEPING_S", 0.0)
        yield


class FaultError(Exception):
    """What ends a session."""


class Books:
    """A database of one partition: what is stored, by offset, in order.

    Args:
        acts: of each turn: how long it takes, and what else happens in it.
    """

    def __init__(self, acts):
        self.acts = itertools.cycle(acts)
        self.stored = []
        self.turn = asyncio.Lock()

    async def positions(self, places):
        """Return how far the partition is stored."""
        at = len(self.stored)
        await asyncio.sleep(0)
        return dict.fromkeys(places, at)

    async def keep_partitions(self, days):
        """Drop nothing; others go on meanwhile."""
        for _ in range(3):
            await asyncio.sleep(0)
        return 0

    async def store(self, events, before, after, others):
        """Store as the real one does; another instance may come first, or a fault."""
        async with self.turn:
            turns, act = next(self.acts)
            for _ in range(turns):
                await asyncio.sleep(0)
            if act == "fault":
                raise FaultError
            if act == "other":
                end = min(len(self.stored) + 4, RECORDS)
                self.stored += range(len(self.stored), end)
            if before[PLACE] != len(self.stored):
                raise PositionsMoved
            self.stored += [row.placed.offset for row in events]
            assert after[PLACE] == self.stored[-1] + 1


class Partition:
    """Gives records from a position on, a few at a time, until all are stored."""

    def __init__(self, books, sizes, event):
        self.books, self.sizes, self.event = books, itertools.cycle(sizes), event
        self.at = None

    async def assign(self, storage):
        """Take the partition away and give it back: reading goes on where told."""
        self.at = None
        self.at = (await storage.assigned([PLACE]))[PLACE]

    async def batches(self, _records_max):
        """Yield what comes; nothing while the partition is being assigned."""
        while len(self.books.stored) < RECORDS:
            await asyncio.sleep(0)
            if self.at is None:
                yield {}
                continue
            end = min(self.at + next(self.sizes), RECORDS)
            told = [
                Incoming(*PLACE, offset, None, b"", 0) for offset in range(self.at, end)
            ]
            self.at = end
            yield {PLACE: told} if told else {}

    async def seek(self, positions):
        """Read on from another position."""
        if self.at is not None:
            self.at = positions[PLACE]

    async def decode(self, kind, incoming):
        """Return the event; others go on meanwhile."""
        await asyncio.sleep(0)
        return self.event

    async def end(self):
        """Return where the partition ends."""
        return {PLACE: RECORDS}

    async def lag(self):
        """Tell nothing."""
        return {}


async def live(books, sizes, rebalances, event):
    """Store everything, in as many sessions as it takes."""
    for _ in range(1000):
        storage = Storage(SETTINGS, books, None, Parts(), Lag(SETTINGS, []))
        partition = Partition(books, sizes, event)
        await partition.assign(storage)

        async def rebalance(partition=partition, storage=storage):
            for turns in rebalances:
                for _ in range(turns):
                    await asyncio.sleep(0)
                await partition.assign(storage)

        rebalancing = asyncio.create_task(rebalance())
        try:
            await storage.run(partition)
        except FaultError:
            continue
        finally:
            rebalancing.cancel()
            await asyncio.wait({rebalancing})
        return


ACTS = st.lists(
    st.tuples(
        st.integers(0, 12), st.sampled_from(["none", "none", "none", "other", "fault"])
    ),
    max_size=8,
)


@settings(deadline=None)
@given(
    ACTS,
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.integers(0, 25), max_size=12),
)
async def test_each_record_is_stored_once_and_in_order(
    make_event, acts, sizes, rebalances
):
    """Other instances, faults and rebalances between any two steps leave no gap."""
    books = Books([*acts, (1, "none"), (0, "none")])
    await live(books, sizes, rebalances, make_event())
    assert list(range(RECORDS)) == books.stored


@pytest.mark.parametrize("turns", range(40))
async def test_batch_in_hand_is_dropped_when_partitions_are_assigned_anew(
    make_event, turns
):
    """Its predecessor may yet fail, and what was told then would leave a gap."""
    books = Books([(9, "none"), (9, "fault"), (9, "none")])
    await live(books, [5], [turns], make_event())
    assert list(range(RECORDS)) == books.stored
