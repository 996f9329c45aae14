"""What readers believe in, read back, and epochs that only grow."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from balance_connector.books import Account, Books, Fact, Observed, Pocket, Told
from balance_connector.memory import LOOK_BACK, Memory
from balance_shared.testing import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def event(kind: str, asset: str, epoch: int):
    """Return an event as it lies on the bus."""
    books = Books(Account("kraken", "main"), "ws", epoch, {})
    pocket = Pocket("", "spot", "main", asset, asset)
    told = books.update(Observed(pocket, Decimal(1)), Told(NOW, 1, "1"), 0)
    event_id = f"{told.event_id}|{asset}"
    return msgspec.structs.replace(told, kind=kind, event_id=event_id)


class ScriptedRecall:
    """A bus that holds what the test says, and counts how often it was asked."""

    def __init__(self, latest=(), told=(), owed=None):
        self.records, self.told, self.owed = list(latest), list(told), owed
        self.reads, self.asked = 0, []

    async def latest(self):
        """Return the records of ``latest``."""
        self.reads += 1
        return self.records

    async def told_since(self, time):
        """Return the events, and note since when they were asked for."""
        self.asked.append(time)
        return self.told

    async def owed_since(self):
        """Return since when history is owed."""
        return self.owed


async def test_balances_survive_a_restart_and_absents_do_not():
    """Known is what latest holds, without what is absent already."""
    recall = ScriptedRecall([event("update", "BTC", 5), event("absent", "ETH", 5)])

    known = await Memory(recall, ManualClock()).known(0)

    assert ["kraken|main||spot/main|BTC"] == list(known)


async def test_epochs_grow_over_a_clock_that_was_set_back():
    """An epoch is greater than every one on the bus and every one before."""
    future = 9_999_999_999_999_999
    memory = Memory(ScriptedRecall([event("update", "BTC", future)]), ManualClock())
    await memory.known(0)

    assert [future + 1, future + 2] == [memory.next_epoch(), memory.next_epoch()]


async def test_facts_told_before_are_read_back():
    """By id, updates with their balance too; pictures are no facts."""
    update, late = event("update", "BTC", 5), event("backfill", "SOL", 5)
    told = [update, event("snapshot", "ETH", 5), late]
    recall = ScriptedRecall([event("update", "BTC", 5)], told)
    memory = Memory(recall, ManualClock())
    await memory.known(0)

    facts = {
        update.event_id: Fact(NOW, update.key, Decimal(1)),
        late.event_id: Fact(NOW),
    }
    assert facts == memory.recent
    assert [NOW - LOOK_BACK] == recall.asked


async def test_facts_that_were_dropped_on_their_way_are_forgotten():
    """After losses only the bus says what was told."""
    told = [event("backfill", "BTC", 5)]
    recall = ScriptedRecall([event("update", "BTC", 5)], told)
    memory = Memory(recall, ManualClock())
    await memory.known(0)
    memory.recent["dropped on its way"] = Fact(NOW)
    await memory.known(1)

    assert [told[0].event_id] == list(memory.recent)


async def test_facts_are_read_back_from_where_the_history_is_owed():
    """Debts reach further back than the last record."""
    recall = ScriptedRecall([event("update", "BTC", 5)], owed=NOW - HOUR)
    await Memory(recall, ManualClock()).known(0)

    assert [NOW - HOUR - LOOK_BACK] == recall.asked


async def test_doubt_reaches_back():
    """What was heard after the last confirmation may have holes."""
    memory = Memory(ScriptedRecall([event("update", "BTC", 5)]), ManualClock())
    await memory.known(0)
    memory.doubt_since(None)
    assert NOW == memory.heard_at
    memory.doubt_since(NOW - HOUR)
    assert NOW - HOUR == memory.heard_at


@pytest.mark.parametrize(
    ("owed", "heard_at", "still"),
    [(NOW - HOUR, NOW - HOUR, NOW - HOUR), (NOW + HOUR, NOW, None), (None, NOW, None)],
)
async def test_history_that_a_process_before_owed_is_owed_still(owed, heard_at, still):
    """From where that process's stretch began, if anything was told since then."""
    recall = ScriptedRecall([event("update", "BTC", 5)], owed=owed)
    memory = Memory(recall, ManualClock())
    await memory.known(0)

    assert (heard_at, still) == (memory.heard_at, memory.owed_since)


@pytest.mark.parametrize(
    ("owed", "assets"), [(NOW - HOUR, ["ETH"]), (NOW + HOUR, []), (None, [])]
)
async def test_what_vanished_in_a_time_that_is_owed_is_kept(owed, assets):
    """No picture has it, and its history is owed like that of the others."""
    told = [event("update", "BTC", 5), event("absent", "ETH", 5)]
    memory = Memory(ScriptedRecall(told, owed=owed), ManualClock())
    await memory.known(0)

    vanished = memory.vanished.values()
    assert assets == [holding.pocket.asset for holding in vanished]


async def test_own_debts_are_not_read_back():
    """After losses the process knows itself what it owes."""
    recall = ScriptedRecall([event("update", "BTC", 5)])
    memory = Memory(recall, ManualClock())
    await memory.known(0)
    recall.owed = NOW - HOUR
    await memory.known(1)

    assert (NOW, None) == (memory.heard_at, memory.owed_since)


async def test_epoch_is_the_time_in_microseconds():
    """An epoch says when it began."""
    memory = Memory(ScriptedRecall(), ManualClock(NOW))
    await memory.known(0)

    assert int(NOW.timestamp()) * 1_000_000 == memory.next_epoch()


async def test_after_losses_the_bus_is_read_again():
    """After records were dropped the bus is asked what it has."""
    recall = ScriptedRecall()
    memory = Memory(recall, ManualClock())
    await memory.known(0)
    await memory.known(0)
    await memory.known(1)

    assert 2 == recall.reads
