"""Reading back what lies on a bus in memory."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from balance_connector.books import Account, Books, Observed, Pocket, Told
from balance_schemas.records import ConnectorStatus
from balance_schemas.topics import EVENTS, LATEST, STATUS
from balance_shared.kafka import Outgoing, outgoing
from balance_shared.testing import InMemoryBus, InMemoryRecall

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = Account("kraken", "main")
HOUR = timedelta(hours=1)


def told(bus, topic, record, at=NOW):
    """Put a record on the bus."""
    time_ms = int(at.timestamp() * 1000)
    bus.records[topic.name].append(outgoing(topic, ACCOUNT.key, record, time_ms))


def update(asset: str, sequence: int):
    """Return an update of an asset."""
    observed = Observed(Pocket("", "spot", "main", asset, asset), Decimal(sequence))
    place = Told(NOW, sequence, str(sequence))
    return Books(ACCOUNT, "ws", 1, {}).update(observed, place, 0)


async def test_latest_is_the_last_of_each_key():
    """As compaction leaves it."""
    bus = InMemoryBus()
    for record in (update("BTC", 1), update("ETH", 2), update("BTC", 3)):
        told(bus, LATEST, record)

    found = await InMemoryRecall(bus).latest()
    assert {("BTC", 3), ("ETH", 2)} == {(one.asset, one.sequence) for one in found}


async def test_what_cannot_be_read_of_latest_is_left_out():
    """It is told once, where somebody wants to know."""
    bus = InMemoryBus()
    told(bus, LATEST, update("BTC", 1))
    bus.records[LATEST.name].append(Outgoing(LATEST, ACCOUNT.key, "x", b"", 0))
    recall, left_out = InMemoryRecall(bus), []
    assert ["BTC"] == [one.asset for one in await recall.latest()]
    recall.leave_out = lambda incoming, _: left_out.append(incoming.offset)

    for _ in range(2):
        assert ["BTC"] == [one.asset for one in await recall.latest()]
    assert [1] == left_out


async def test_events_are_told_from_a_time_on():
    """By the time of their records."""
    bus = InMemoryBus()
    told(bus, EVENTS, update("BTC", 1), NOW - HOUR)
    told(bus, EVENTS, update("BTC", 2), NOW)

    found = await InMemoryRecall(bus).told_since(NOW)
    assert [2] == [one.sequence for one in found]


def status(feed: str, owed=None) -> ConnectorStatus:
    """Return a status of a feed."""
    return ConnectorStatus(
        venue="kraken",
        account="main",
        feed=feed,
        state="live",
        reason="",
        epoch=1,
        since=NOW,
        instance="i",
        version="1",
        backfill_since=owed,
    )


async def test_debt_is_that_of_the_streams_last_status():
    """The polls owe nothing; without a status nothing is known to be owed."""
    bus = InMemoryBus()
    recall = InMemoryRecall(bus)
    assert await recall.owed_since() is None
    for feed, owed in (("ws", None), ("ws", NOW), ("rest", None)):
        told(bus, STATUS, status(feed, owed))

    assert NOW == await recall.owed_since()


async def test_statuses_are_heard_as_they_are_written():
    """From now on, however many come at once."""
    bus = InMemoryBus()
    told(bus, STATUS, status("ws"))
    heard = InMemoryRecall(bus).statuses()
    first = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    records = [
        outgoing(STATUS, ACCOUNT.key, status(*one), 0)
        for one in (("rest",), ("ws", NOW), ("ws", NOW - HOUR))
    ]
    await bus.publish(records)

    assert "rest" == (await first).feed
    assert NOW == (await anext(heard)).backfill_since
    assert NOW - HOUR == (await anext(heard)).backfill_since
    await heard.aclose()
