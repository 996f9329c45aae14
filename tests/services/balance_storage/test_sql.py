"""The statements: what PostgreSQL holds equals a model, whatever the history."""

import itertools
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balance_storage import rows
from balance_storage.database import Database

pytestmark = pytest.mark.integration

KINDS = ("snapshot", "update", "absent", "backfill")
PLACE = ("t", 0)
ASSETS = ("BTC", "ETH", "USD")

TOLD = st.tuples(
    st.integers(0, 7),  # which fact; its asset follows from it
    st.sampled_from(KINDS),
    st.integers(1, 3),  # epoch
    st.decimals("-9e19", "9e19", places=18),
)


def fold(history):
    """Return what should be stored: first event of each id, and each balance."""
    events, live, balances = {}, {}, {}
    for event in history:
        events.setdefault(event.event_id, event)
        if event.kind == "backfill" or live.get(event.event_id, 0) >= event.epoch:
            continue
        live[event.event_id] = event.epoch
        held = balances.get(event.key)
        if held is None or event.epoch >= held.epoch:
            balances[event.key] = event
    return events, balances


def contract(history):
    """Return each balance by the words of the contract alone."""
    counting = [event for event in history if event.kind != "backfill"]
    newest = {}
    for event in counting:
        newest[event.key] = max(event.epoch, newest.get(event.key, 0))
    return {event.key: event for event in counting if event.epoch == newest[event.key]}


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
    connection.execute(
        "TRUNCATE balancebus.tellings, balancebus.event_ids, balancebus.held,"
        " balancebus.consumer_offsets;"
        "UPDATE balancebus.accounts SET number = 0, chain = DEFAULT"
    )
    await database.positions([PLACE])
    offset = 0
    for batch in batches:
        told = [
            rows.row_of(rows.Placed(event, *PLACE, number))
            for number, event in enumerate(batch, offset)
        ]
        before, offset = offset, offset + len(batch)
        await database.store(told, {PLACE: before}, {PLACE: offset})


def events_of(connection):
    """Return event id → kind, epoch and balance."""
    found = connection.execute(
        "SELECT event_id, kind, epoch, balance FROM balancebus.events"
    )
    return {event_id: tuple(values) for event_id, *values in found}


def balances_of(connection):
    """Return balance key → event id, epoch, kind and balance."""
    found = connection.execute(
        "SELECT balance_key, event_id, epoch, kind, balance FROM balancebus.balances"
    )
    return {key: tuple(values) for key, *values in found}


def shown(events):
    """Return events in the form of `balances_of`."""
    return {
        key: (event.event_id, event.epoch, event.kind, event.balance)
        for key, event in events.items()
    }


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(TOLD, max_size=12), max_size=4))
async def test_tables_equal_the_model(connection, database, make_event, told):
    """Epochs, echoes, backfill and absences in any order and any batches."""
    batches = [
        [
            make_event(
                event_id=f"id-{fact}",
                asset=ASSETS[fact % len(ASSETS)],
                kind=kind,
                epoch=epoch,
                balance=balance,
            )
            for fact, kind, epoch, balance in batch
        ]
        for batch in told
    ]
    await store(connection, database, batches)
    history = list(itertools.chain.from_iterable(batches))
    events, balances = fold(history)
    assert {
        event_id: (event.kind, event.epoch, event.balance)
        for event_id, event in events.items()
    } == events_of(connection)
    assert shown(balances) == balances_of(connection)
    live = [(e.event_id, e.epoch) for e in history if e.kind != "backfill"]
    if len(set(live)) == len(live):
        assert shown(contract(history)) == balances_of(connection)


def one_balance(connection):
    """Return the balance of the only key."""
    ((balance,),) = connection.execute(
        "SELECT balance FROM balancebus.balances"
    ).fetchall()
    return balance


@pytest.mark.parametrize("together", [True, False])
async def test_backfill_that_repeats_an_update_changes_no_balance(
    connection, database, make_event, together
):
    """A fact of the past, told late, is not the present."""
    history = [
        make_event(event_id="a", balance=Decimal(1)),
        make_event(event_id="b", balance=Decimal(2)),
        make_event(event_id="a", balance=Decimal(1), kind="backfill", epoch=2),
    ]
    await store(
        connection, database, [history] if together else [[event] for event in history]
    )
    assert Decimal(2) == one_balance(connection)


@pytest.mark.parametrize("together", [True, False])
async def test_update_that_repeats_a_backfill_changes_the_balance(
    connection, database, make_event, together
):
    """The history was asked first, but the stream's word is what counts."""
    history = [
        make_event(event_id="p", balance=Decimal(1), kind="snapshot"),
        make_event(event_id="a", balance=Decimal(3), kind="backfill"),
        make_event(event_id="a", balance=Decimal(3)),
    ]
    await store(
        connection, database, [history] if together else [[event] for event in history]
    )
    assert Decimal(3) == one_balance(connection)
    assert events_of(connection)["a"][0] == "backfill"


@pytest.mark.parametrize("together", [True, False])
async def test_echo_of_an_update_does_not_undo_a_newer_one(
    connection, database, make_event, together
):
    """The same fact again in the same epoch is no news."""
    history = [
        make_event(event_id="a", balance=Decimal(1)),
        make_event(event_id="b", balance=Decimal(2)),
        make_event(event_id="a", balance=Decimal(1)),
    ]
    await store(
        connection, database, [history] if together else [[event] for event in history]
    )
    assert Decimal(2) == one_balance(connection)


async def test_amounts_are_exact(connection, database, make_event):
    """Every digit of 38 comes back from numeric and from JSON."""
    amount = Decimal("-12345678901234567890.123456789012345678")
    await store(
        connection,
        database,
        [[make_event(balance=amount, available=amount, delta=amount)]],
    )
    (found,) = connection.execute(
        "SELECT balance, available, delta FROM balancebus.events"
    ).fetchall()
    assert (amount, amount, amount) == found
    assert amount == one_balance(connection)


async def test_rows_of_another_stretch_are_refused(connection, database, make_event):
    """Whoever stores rows that the positions do not speak of has a bug."""
    row = rows.row_of(rows.Placed(make_event(), *PLACE, 5))
    await store(connection, database, [])
    with pytest.raises(ValueError, match="offset 5 of t"):
        await database.store([row], {PLACE: 0}, {PLACE: 2})
    assert {} == events_of(connection)
