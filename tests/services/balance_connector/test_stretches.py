"""What is owed: from the moment a stretch opens until its history is told."""

import asyncio
from datetime import UTC, datetime, timedelta

from balance_connector.stretches import Stretches
from balance_connector.venue import Stretch

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_nothing_is_owed_at_first():
    """An account that was never heard has no history to tell."""
    stretches = Stretches()
    stretches.open(None)

    assert stretches.owed_since is None


def test_stretch_is_owed_from_its_opening_until_it_is_told():
    """While its picture is to come, while it waits, and while it is asked for."""
    stretches, owed = Stretches(), []
    stretches.open(NOW)
    owed.append(stretches.owed_since)
    stretches.close(Stretch(NOW, NOW + HOUR))
    owed.append(stretches.owed_since)
    stretches.told()

    assert [NOW, NOW, None] == [*owed, stretches.owed_since]


def test_earliest_is_owed():
    """A later one that is open does not hide the one that waits, nor the other way."""
    stretches = Stretches()
    stretches.open(NOW + HOUR)
    stretches.close(Stretch(NOW + HOUR, NOW + 2 * HOUR))
    stretches.open(NOW)
    before = stretches.owed_since
    stretches.open(NOW + 3 * HOUR)

    assert (NOW, NOW + HOUR) == (before, stretches.owed_since)


async def test_first_waits_and_stays_in_line():
    """What is being asked for is owed until `told` says otherwise."""
    stretches = Stretches()
    waiting = asyncio.create_task(stretches.first())
    await asyncio.sleep(0)
    assert not waiting.done()
    first, second = Stretch(NOW, NOW), Stretch(NOW, NOW + HOUR)
    stretches.close(first)
    stretches.close(second)

    assert (first, first) == (await waiting, await stretches.first())
    stretches.told()
    assert second == await stretches.first()
