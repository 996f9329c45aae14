"""What readers believe in, read back, and epochs that only grow."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from balance_connector.books import Account, Books, Observed, Pocket, Told
from balance_connector.memory import Memory
from balance_shared.testing import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(kind: str, asset: str, epoch: int):
    """Return an event as it lies on latest."""
    books = Books(Account("kraken", "main"), "ws", epoch, {})
    pocket = Pocket("", "spot", "main", asset, asset)
    told = books.update(Observed(pocket, Decimal(1)), Told(NOW, 1, "1"), 0)
    return msgspec.structs.replace(told, kind=kind)


async def test_balances_survive_a_restart_and_absents_do_not():
    """Known is what latest holds, without what is absent already."""

    async def latest():
        return [event("update", "BTC", 5), event("absent", "ETH", 5)]

    known = await Memory(latest, ManualClock()).known(0)

    assert ["kraken|main||spot/main|BTC"] == list(known)


async def test_epochs_grow_over_a_clock_that_was_set_back():
    """An epoch is greater than every one on the bus and every one before."""
    future = 9_999_999_999_999_999

    async def latest():
        return [event("update", "BTC", future)]

    memory = Memory(latest, ManualClock())
    await memory.known(0)

    assert [future + 1, future + 2] == [memory.next_epoch(), memory.next_epoch()]


async def test_facts_told_before_a_restart_are_remembered():
    """By id and by balance, so that a history does not repeat them; pictures are none."""
    update = event("update", "BTC", 5)

    async def latest():
        return [update, event("snapshot", "ETH", 5)]

    memory = Memory(latest, ManualClock())
    memory.recent["dropped on its way"] = NOW
    await memory.known(0)

    assert {update.event_id: NOW, f"{update.key}|1": NOW} == memory.recent


async def test_doubt_reaches_back():
    """What was heard after the last confirmation may have holes."""

    async def latest():
        return [event("update", "BTC", 5)]

    memory = Memory(latest, ManualClock())
    await memory.known(0)
    memory.doubt_since(None)
    assert NOW == memory.heard_at
    memory.doubt_since(NOW - timedelta(hours=1))
    assert NOW - timedelta(hours=1) == memory.heard_at


async def test_epoch_is_the_time_in_microseconds():
    """An epoch says when it began."""

    async def latest():
        return []

    memory = Memory(latest, ManualClock(NOW))
    await memory.known(0)

    assert int(NOW.timestamp()) * 1_000_000 == memory.next_epoch()


async def test_after_losses_the_bus_is_read_again():
    """After records were dropped the bus is asked what it has."""
    reads = []

    async def latest():
        reads.append(1)
        return []

    memory = Memory(latest, ManualClock())
    await memory.known(0)
    await memory.known(0)
    await memory.known(1)

    assert 2 == len(reads)
