"""Two times: what was true then, by what was known then."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balance_shared.errors import SettingsError
from balance_storage import rows
from balance_storage.as_of import held_as_of, held_of
from balance_storage.database import Database

pytestmark = pytest.mark.integration

PLACE = ("t", 0)
START = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
ASSETS = ("BTC", "ETH")
DIGITS = Decimal("1.000000000000000001")
EMPTY = (
    "TRUNCATE balancebus.tellings, balancebus.event_ids, balancebus.held,"
    " balancebus.consumer_offsets;"
    "UPDATE balancebus.accounts SET number = 0, chain = DEFAULT"
)


def minute(number):
    """Return a time near the turn of a month."""
    return START + timedelta(minutes=number)


TOLD = st.fixed_dictionaries(
    {
        "fact": st.integers(0, 9),
        "kind": st.sampled_from(["snapshot", "update", "update", "absent", "backfill"]),
        "epoch": st.integers(1, 3),
        "received": st.integers(0, 8),
        "venue": st.none() | st.integers(0, 8),
    }
)


def model(told, at, known_at):
    """Return key → offset of what was true at a time, by the words of the rule.

    Every live record takes effect at its time, but not before what it replaces; a
    backfill at its time; an echo or a record of an older epoch never. What counts is
    known and took effect; the last to take effect holds, then the greater epoch, then
    the later record.
    """
    live, seen, holds, effects = {}, set(), {}, []
    for offset, event in enumerate(told):
        time = min(event.received_at, event.venue_time or event.received_at)
        new = event.event_id not in seen
        seen.add(event.event_id)
        if event.kind != "backfill":
            if live.get(event.event_id, 0) >= event.epoch:
                continue
            live[event.event_id] = event.epoch
            epoch, before = holds.get(event.key, (0, time))
            if event.epoch < epoch:
                continue
            time = max(time, before)
            holds[event.key] = event.epoch, time
        elif not new:
            continue
        effects.append((time, event.epoch, offset, event))
    found = {}
    for time, _, offset, event in sorted(effects, key=lambda effect: effect[:3]):
        if time <= min(at, known_at) and event.received_at <= known_at:
            found[event.key] = offset
    return found


@pytest.fixture(scope="module")
async def database(migrated):
    """Give the service's connection."""
    async with Database.connect(migrated) as database:
        yield database


@pytest.fixture(scope="module")
def connection(migrated):
    """Give a connection of the tests' own."""
    with psycopg.connect(migrated, autocommit=True) as connection:
        yield connection


async def store(connection, database, batches):
    """Empty the tables, then store batch after batch."""
    connection.execute(EMPTY)
    await database.positions([PLACE])
    offset = 0
    for batch in batches:
        numbered = enumerate(batch, offset)
        placed = [rows.Placed(event, *PLACE, number) for number, event in numbered]
        before, offset = offset, offset + len(batch)
        told = [rows.row_of(one) for one in placed]
        await database.store(told, {PLACE: before}, {PLACE: offset})


def found(connection, at, known_at):
    """Return key → offset of what the database says."""
    return dict(
        connection.execute(
            "SELECT balance_key, topic_offset FROM balancebus.balances_as_of(%s, %s)",
            (at, known_at),
        ).fetchall()
    )


def built(make_event, told):
    """Return an event of what Hypothesis made up."""
    return make_event(
        event_id=f"id-{told['fact']}",
        asset=ASSETS[told["fact"] % 2],
        kind=told["kind"],
        epoch=told["epoch"],
        received_at=minute(told["received"]),
        venue_time=None if told["venue"] is None else minute(told["venue"]),
    )


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.lists(TOLD, max_size=8), max_size=3),
    st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 9)), min_size=1, max_size=6),
)
async def test_answers_equal_the_model(connection, database, make_event, made, asked):
    """Whatever arrives late, in whatever order and batches, at any two times."""
    batches = [[built(make_event, told) for told in batch] for batch in made]
    await store(connection, database, batches)
    history = list(itertools.chain.from_iterable(batches))
    for at, known_at in asked:
        times = minute(at), minute(known_at)
        assert model(history, *times) == found(connection, *times)
    current = dict(
        connection.execute("SELECT balance_key, topic_offset FROM balancebus.balances")
    )
    late = {event.key for event in history if event.kind == "backfill"}
    end = found(connection, "infinity", "infinity")
    assert {key: at for key, at in current.items() if key not in late} == {
        key: at for key, at in end.items() if key not in late
    }


async def test_late_correction_changes_what_was_true_and_not_what_was_known(
    connection, database, make_event
):
    """A ledger line learned at 5 about 2 is true of 3, and was not known at 4."""
    before = [
        make_event(event_id="a", received_at=minute(1)),
        make_event(event_id="p", kind="snapshot", epoch=2, received_at=minute(4)),
    ]
    late = make_event(
        event_id="b",
        kind="backfill",
        epoch=2,
        venue_time=minute(2),
        received_at=minute(5),
    )
    await store(connection, database, [before, [late]])
    key = late.key
    assert {key: 0} == found(connection, minute(3), minute(4))
    assert {key: 1} == found(connection, minute(4), minute(4))
    assert {key: 2} == found(connection, minute(3), minute(5))
    assert {key: 1} == found(connection, minute(5), minute(5))
    assert {} == found(connection, minute(0), minute(5))


async def test_one_key_is_found_by_an_index(connection, database, make_event):
    """The answer for one balance reads no table whole."""
    told = [
        make_event(event_id=f"id-{number}", asset=f"C{number % 50}")
        for number in range(2000)
    ]
    await store(connection, database, [told])
    connection.execute("ANALYZE balancebus.tellings, balancebus.balance_keys")
    plan = "\n".join(
        line
        for (line,) in connection.execute(
            "EXPLAIN SELECT * FROM balancebus.balance_as_of(%s, now())",
            (told[0].key,),
        )
    )
    assert "balance_id_effective_at_idx" in plan
    assert "Seq Scan on tellings_2026_03" not in plan
    assert "Function Scan" not in plan


async def test_balances_come_with_every_digit_and_in_order(
    migrated, connection, database, make_event
):
    """The Python call gives exact amounts of the accounts that are asked for."""
    told = [
        make_event(event_id="a", asset="ETH", balance=DIGITS),
        make_event(event_id="b", asset="BTC"),
        make_event(event_id="c", account="other"),
    ]
    await store(connection, database, [told])
    held = await held_as_of(migrated, accounts=["main"])
    assert ["BTC", "ETH"] == [one.asset for one in held]
    assert DIGITS == held[1].balance
    assert held[0] == await held_of(migrated, told[1].key)
    early = datetime(2026, 2, 1, tzinfo=UTC)
    assert None is await held_of(migrated, told[1].key, at=early)
    assert [] == await held_as_of(
        migrated, at=datetime(2026, 2, 1, tzinfo=UTC), accounts=["main"]
    )


async def test_database_without_the_function_is_refused(unmigrated):
    """A database that was never migrated says what to do."""
    with pytest.raises(SettingsError, match="balancebus storage migrate"):
        await held_as_of(unmigrated)
