"""Verifying real books: clean ones agree, and whatever is done to them is named."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from balance_schemas.keys import account_key
from balance_schemas.records import Movement
from balance_schemas.topics import EVENTS, LATEST
from balance_shared.errors import BusInterrupted, SettingsError
from balance_shared.kafka import Producer
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_storage.audit import audit
from balance_storage.schema import migrate
from balance_storage.verify import Kind, Tally

pytestmark = pytest.mark.integration

AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def quiet(*_):
    """Show no progress."""


async def publish(settings, topic, events):
    """Write events to a topic as a connector would."""
    now = int(time.time() * 1000)
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, [topic]) as producer,
    ):
        for event in events:
            owner = account_key(event.venue, event.account)
            await producer.publish([outgoing(topic, owner, event, now)])


def history(make_event):
    """Return live events, a backfill told live later, a greater epoch and an echo."""
    line = Movement(movement_id="L1", amount=Decimal("0.5"), fee=Decimal("0.1"))

    def told(name, asset="BTC", **fields):
        return make_event(event_id=name, asset=asset, received_at=AN_HOUR_AGO, **fields)

    return [
        told("a", kind="snapshot"),
        told("b", movements=(line,), balance=Decimal(2)),
        told("c", kind="backfill", balance=Decimal("2.5")),
        told("c", balance=Decimal("2.5"), sequence=7),
        told("d", asset="ETH", balance=Decimal("-1.000000000000000001")),
        told("b", movements=(line,), balance=Decimal(2)),
        told("d", asset="ETH", epoch=2, balance=Decimal(3)),
        told("e", account="other", balance=Decimal(9)),
    ]


@pytest.fixture
async def books(bus, make_event):
    """Give stored books that agree with their topics, a dead letter among them."""
    events = history(make_event)
    await bus.publish(events)
    await bus.publish_poison("kraken|main", b"\xff")
    await publish(bus.settings, LATEST, [events[3], events[6], events[7]])
    async with bus.instance():
        await bus.until_taken(9)
    return bus


async def found(bus):
    """Return the kinds and places of what is found."""
    report = await audit(bus.settings, quiet)
    return [(one.kind, one.where.split(":")[0]) for one in report.findings]


async def test_clean_books_agree(books):
    """Retellings, echoes, dead letters and several accounts are no disagreement."""
    report = await audit(books.settings, quiet)
    assert [] == report.findings
    main = Tally(rows=6, on_topic=8, repeated=3, unreadable=1, balances=2)
    other = Tally(rows=1, on_topic=1, balances=1)
    assert {"kraken|main": main, "kraken|other": other} == report.tallies


async def test_records_that_are_not_stored_yet_are_lag(books, make_event):
    """Storage that stands still is behind, and not wrong."""
    late = make_event(event_id="z", received_at=AN_HOUR_AGO, balance=Decimal(77))
    await publish(books.settings, EVENTS, [late])
    await publish(books.settings, LATEST, [late])
    report = await audit(books.settings, quiet)
    assert [] == report.findings
    assert 1 == report.of("kraken|main").lag


def old_again(changes):
    """Return SQL that tells an old update again, a moment later and with more."""
    columns = (
        "balance_id, number, topic_offset, received_at, epoch, account_id, place_id,"
        " effective_at, venue_time, chain, again, event_id, feed, nature, venue_asset,"
        " asset_class, network, kind, balance, balance_scope, attributes, lines"
    )
    values = columns
    changed = dict(one.split(" = ") for one in changes.split(", ")) | {
        "received_at": "received_at + interval '1 microsecond'",
        "balance": "balance + 1000",
    }
    for column, value in changed.items():
        values = re.sub(rf"\b{column}\b", value, values, count=1)
    return (
        f"INSERT INTO balancebus.tellings ({columns}) SELECT {values}"  # noqa: S608
        " FROM balancebus.tellings WHERE event_id = 'b'"
    )


DAMAGES = [
    (
        (
            "UPDATE balancebus.tellings SET balance = balance + 0.000000000000000001"
            " WHERE event_id = 'a'"
        ),
        {(Kind.CHANGED, "row 1"), (Kind.OTHER, "a of kraken|main||spot/main|BTC, {}")},
    ),
    (
        "UPDATE balancebus.tellings SET lines = replace(lines, '\t0.1\t', '\t0.2\t')",
        {(Kind.CHANGED, "row 2")},
    ),
    ("UPDATE balancebus.tellings SET lines = NULL", {(Kind.CHANGED, "row 2")}),
    (
        "DELETE FROM balancebus.tellings WHERE event_id = 'a'",
        {
            (Kind.MISSING, "row 1"),
            (Kind.NOT_STORED, "a of kraken|main||spot/main|BTC, {}"),
            (Kind.ID, "row 1"),
        },
    ),
    (
        (
            "INSERT INTO balancebus.tellings SELECT (jsonb_populate_record(t,"
            ' \'{"number": 7, "event_id": "x", "effective_at": null}\')).* FROM balancebus.tellings t'
            " WHERE event_id = 'a'"
        ),
        {(Kind.ADDED, "row 7")},
    ),
    (
        (
            "UPDATE balancebus.tellings SET number = 101 - number, received_at = received_at"
            " WHERE account_id = 1 AND number IN (1, 2);"
            "UPDATE balancebus.tellings SET number = number - 98"
            " WHERE account_id = 1 AND number IN (99, 100)"
        ),
        None,
    ),
    (
        "UPDATE balancebus.held SET number = 5 WHERE number = 6",
        {
            (Kind.HEAD, "kraken|main||spot/main|ETH"),
            (Kind.LATEST, "kraken|main||spot/main|ETH"),
        },
    ),
    (
        "DELETE FROM balancebus.tellings WHERE event_id = 'd' AND again",
        {
            (Kind.MISSING, "row 6"),
            (Kind.ID, "row 5"),
            (Kind.HEAD, "kraken|main||spot/main|ETH"),
            (Kind.LATEST, "kraken|main||spot/main|ETH"),
        },
    ),
    (
        (
            "UPDATE balancebus.balance_keys SET asset = 'XBT' WHERE asset = 'BTC'"
            " AND account = 'main'"
        ),
        {(Kind.CHANGED, "the parts of key kraken|main||spot/main|BTC")},
    ),
    (old_again("number = -5"), {(Kind.ADDED, "row -5")}),
    (old_again("number = 0"), {(Kind.ADDED, "row 0")}),
    (old_again("number = 2"), {(Kind.ADDED, "row 2")}),
    (
        old_again("account_id = 99"),
        {
            (Kind.MISSING, "account_id 99 in the table of accounts"),
            (Kind.ADDED, "row 2"),
            (Kind.ID, "row 2"),
        },
    ),
    (
        old_again("account_id = -2147483648, number = -9223372036854775808"),
        {
            (Kind.MISSING, "account_id -2147483648 in the table of accounts"),
            (Kind.ADDED, "row -9223372036854775808"),
        },
    ),
    (
        "DELETE FROM balancebus.accounts WHERE account_id = 1",
        {(Kind.MISSING, "account_id 1 in the table of accounts")},
    ),
    (
        (
            "DELETE FROM balancebus.accounts WHERE account_id = 1;"
            "UPDATE balancebus.tellings SET lines = NULL"
        ),
        {
            (Kind.MISSING, "account_id 1 in the table of accounts"),
            (Kind.CHANGED, "row 2"),
        },
    ),
    (
        "UPDATE balancebus.accounts SET account = 'another' WHERE account = 'main'",
        {
            (
                Kind.CHANGED,
                "account_id 1 is kraken|another in the table of accounts",
            )
        },
    ),
    (
        "UPDATE balancebus.balance_keys SET account_id = 2 WHERE asset = 'ETH'",
        {
            (Kind.CHANGED, "account_id 2 is kraken|other in the table of accounts"),
        },
    ),
    (
        (
            "UPDATE balancebus.event_ids SET number = 3 - number"
            " WHERE account_id = 1 AND number IN (1, 2)"
        ),
        {(Kind.ID, "row 1"), (Kind.ID, "row 2")},
    ),
    (
        "UPDATE balancebus.event_ids SET live_epoch = 9 WHERE number = 2",
        {(Kind.ID, "row 2")},
    ),
    (
        "UPDATE balancebus.event_ids SET live_epoch = NULL WHERE number = 3",
        {
            (Kind.ID, "row 3"),
            (Kind.NOT_STORED, "c of kraken|main||spot/main|BTC, {}"),
        },
    ),
    (
        "INSERT INTO balancebus.event_ids VALUES (gen_random_uuid(), 1, 1, 8)",
        {(Kind.ID, "row 8")},
    ),
    (
        "DELETE FROM balancebus.event_ids WHERE account_id = 1 AND number = 2",
        {
            (Kind.ID, "row 2"),
            (Kind.NOT_STORED, "b of kraken|main||spot/main|BTC, {}"),
        },
    ),
    (
        (
            "INSERT INTO balancebus.held SELECT 99, number, received_at, account_id"
            " FROM balancebus.held WHERE number = 6"
        ),
        {(Kind.HEAD, "balance_id 99")},
    ),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGES)
async def test_damage_is_found_and_named(books, damage, expected):
    """A digit, a row, a ledger line, an order, a balance: nothing is changed unseen."""
    with psycopg.connect(books.settings.postgres_dsn.get_secret_value()) as connection:
        connection.execute(damage)
    told = await found(books)
    if expected is None:
        assert {Kind.CHANGED} <= {kind for kind, _ in told}
        return
    wanted = {where.format("") for _, where in expected}
    assert {kind for kind, _ in expected} == {kind for kind, _ in told}
    assert all(any(place.startswith(where) for where in wanted) for _, place in told)


async def test_rows_are_walked_whole_whatever_is_read_at_once(books, monkeypatch):
    """Rows of one number are told apart where the next ones are asked for, too."""
    monkeypatch.setattr("balance_storage.audit.ROWS_AT_ONCE", 1)
    assert [] == await found(books)
    with psycopg.connect(books.settings.postgres_dsn.get_secret_value()) as connection:
        connection.execute(old_again("number = 2"))
    assert [(Kind.ADDED, "row 2")] == await found(books)


async def test_what_retention_dropped_is_no_disagreement(bus, make_event):
    """The chain goes on behind it, and the topic may know more than the database."""
    old = [
        make_event(event_id=f"old-{at}", received_at=datetime(2026, 1, at, tzinfo=UTC))
        for at in (1, 2, 3)
    ]
    new = make_event(event_id="new", received_at=AN_HOUR_AGO)
    await bus.publish([*old, new])
    await publish(bus.settings, LATEST, [new])
    async with bus.instance():
        await bus.until_taken(4)
    dsn = bus.settings.postgres_dsn.get_secret_value()
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT balancebus.drop_partitions('2026-03-01Z')")
    report = await audit(bus.settings, quiet)
    assert [] == report.findings
    tally = Tally(rows=2, on_topic=4, expired=2, balances=1)
    assert {"kraken|main": tally} == report.tallies
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE balancebus.tellings SET balance = 7 WHERE number = 3"
        )
    kinds = {kind for kind, _ in await found(bus)}
    assert {Kind.CHANGED, Kind.OTHER} == kinds


async def test_topic_that_is_shorter_than_what_is_stored_is_found(books):
    """A topic made anew tells other records under the same offsets."""
    with psycopg.connect(books.settings.postgres_dsn.get_secret_value()) as connection:
        connection.execute(
            "UPDATE balancebus.consumer_offsets SET next_offset = 1000"
            " WHERE next_offset > 0 AND topic LIKE '%%events%%'"
        )
    kinds = {kind for kind, _ in await found(books)}
    assert {Kind.OTHER} == kinds


class Silent:
    """A consumer that Kafka gives nothing of what it has."""

    def __init__(self, settings, registry, topics):
        """Take what a consumer takes."""

    async def __aenter__(self):
        """Connect."""
        return self

    async def __aexit__(self, *exc):
        """Leave."""

    async def batches(self):
        """Yield what came: nothing."""
        while True:
            await asyncio.sleep(0.01)
            yield {}

    async def end(self):
        """Say that there is something."""
        return {("t", 0): 5}

    async def lag(self):
        """Know of nothing that was fetched."""
        return {}


async def test_kafka_that_falls_silent_is_told(bus, monkeypatch):
    """Half a topic is no whole one, and is not waited for without end."""
    migrate(bus.settings.postgres_dsn.get_secret_value())
    monkeypatch.setattr("balance_storage.audit.Consumer", Silent)
    monkeypatch.setattr("balance_storage.audit.KAFKA_PATIENCE_S", 0.2)
    async with asyncio.timeout(60):
        with pytest.raises(BusInterrupted, match="does not answer any more"):
            await audit(bus.settings, quiet)


async def test_database_without_tables_is_refused(bus):
    """One clear line says what to do."""
    with pytest.raises(SettingsError, match="balancebus storage migrate"):
        await audit(bus.settings, quiet)
