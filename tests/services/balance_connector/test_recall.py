"""What a connector reads back of Kafka."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from balance_connector import recall as recalling
from balance_connector.books import Account, Books, Observed, Pocket, Told
from balance_connector.recall import KafkaRecall
from balance_schemas.records import ConnectorStatus
from balance_schemas.topics import EVENTS, LATEST, STATUS
from balance_shared.kafka import Outgoing, outgoing
from balance_shared.testing import ManualClock

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
ACCOUNT = Account("kraken", "main")


def record(topic, value, at=NOW, account=ACCOUNT):
    """Return a record as a connector sends it."""
    return outgoing(topic, account.key, value, int(at.timestamp() * 1000))


def update(sequence: int, account=ACCOUNT):
    """Return an update."""
    observed = Observed(Pocket("", "spot", "main", "BTC", "BTC"), Decimal(sequence))
    place = Told(NOW, sequence, str(sequence))
    return Books(account, "ws", 1, {}).update(observed, place, 0)


def status(owed, feed="ws", account=ACCOUNT):
    """Return a status that owes history since a time."""
    return ConnectorStatus(
        venue="kraken",
        account=account.alias,
        feed=feed,
        state="live",
        reason="",
        epoch=1,
        since=NOW,
        instance="i",
        version="1",
        backfill_since=owed,
    )


@pytest.fixture
def settings(own_settings):
    """Give settings of few partitions, so that accounts share them."""
    return own_settings(topic_partitions=2)


@pytest.fixture
def recall(settings, registry):
    """Give what reads the account's records back."""
    return KafkaRecall(settings, registry, "kraken", "main", ManualClock(NOW))


async def sequences(recall, since):
    """Return the numbers of the events told since a time."""
    return [event.sequence for event in await recall.told_since(since)]


async def test_nothing_is_there_at_first(recall, producer):
    """An account that was never told has no past."""
    await producer.publish([])
    assert [] == list(await recall.latest())
    assert [] == list(await recall.told_since(NOW - HOUR))
    assert await recall.owed_since() is None


async def test_latest_is_the_last_of_each_key(recall, producer):
    """Of this account alone."""
    other = Account("kraken", "main2")
    values = record(LATEST, update(1)), record(LATEST, update(2))
    await producer.publish([*values, record(LATEST, update(3, other), NOW, other)])

    assert [2] == [event.sequence for event in await recall.latest()]


def unreadable(topic, key):
    """Return a record that nobody can read."""
    return Outgoing(topic, ACCOUNT.key, key, b"", int(NOW.timestamp() * 1000))


@pytest.fixture
def left_out(recall):
    """Give a list of the offsets of what was left out."""
    told = []
    recall.leave_out = lambda incoming, _: told.append(incoming.offset)
    return told


async def test_what_cannot_be_read_of_latest_is_left_out(recall, producer, left_out):
    """It is told once, however often the balances are read back."""
    broken = unreadable(LATEST, f"{ACCOUNT.key}||spot/main|ZZZ")
    await producer.publish([broken, record(LATEST, update(1))])

    for _ in range(2):
        assert [1] == [event.sequence for event in await recall.latest()]
    assert [0] == left_out


async def test_debt_is_that_of_the_last_status_that_can_be_read(
    recall, producer, left_out
):
    """One that cannot be read is left out, and told once."""
    value = status(NOW - HOUR)
    await producer.publish([record(STATUS, value), unreadable(STATUS, value.key)])

    assert NOW - HOUR == await recall.owed_since()
    assert NOW - HOUR == await recall.owed_since()
    assert [1] == left_out


async def test_events_are_told_since_a_time(recall, producer):
    """In topic order; what is not ours or cannot be read is left out."""
    other = Account("kraken", "main2")
    broken = Outgoing(
        EVENTS, ACCOUNT.key, f"{ACCOUNT.key}|x", b"", int(NOW.timestamp() * 1000)
    )
    await producer.publish(
        [
            record(EVENTS, update(1), NOW - HOUR),
            record(EVENTS, update(2)),
            record(EVENTS, update(3, other), NOW, other),
            broken,
            record(EVENTS, update(4)),
        ]
    )

    assert [2, 4] == await sequences(recall, NOW)
    assert [1, 2, 4] == await sequences(recall, NOW - HOUR)


async def test_only_the_last_records_are_looked_at(recall, producer, monkeypatch):
    """A busy partition keeps no start waiting."""
    monkeypatch.setattr(recalling, "RECORDS_MAX", 3)
    await producer.publish([record(EVENTS, update(one)) for one in range(1, 8)])

    assert [5, 6, 7] == await sequences(recall, NOW - HOUR)


@pytest.mark.parametrize(
    "age", [timedelta(0), timedelta(minutes=30), 5 * HOUR, timedelta(days=9)]
)
async def test_debt_is_that_of_the_streams_last_status(recall, producer, age):
    """However long ago the last process ended; the polls' status owes nothing."""
    other = Account("kraken", "main2")
    await producer.publish(
        [
            record(STATUS, status(None), NOW - age),
            record(STATUS, status(NOW - age - HOUR), NOW - age),
            record(STATUS, status(None, "rest"), NOW - age),
            record(STATUS, status(None, account=other), NOW - age, other),
        ]
    )

    assert NOW - age - HOUR == await recall.owed_since()


async def test_statuses_are_heard_as_they_are_written(recall, producer):
    """Of this account alone, of each feed; what cannot be read is left out."""
    other, value = Account("kraken", "main2"), status(None)
    await producer.publish([record(STATUS, value)])
    heard = recall.statuses()
    first = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(1)  # until it stands at the end
    await producer.publish(
        [
            record(STATUS, status(None, "rest")),
            record(STATUS, status(None, account=other), NOW, other),
            unreadable(STATUS, value.key),
            record(STATUS, status(NOW)),
        ]
    )

    assert "rest" == (await first).feed
    assert NOW == (await anext(heard)).backfill_since
    await heard.aclose()
