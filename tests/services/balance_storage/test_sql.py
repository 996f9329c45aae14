"""The statements: what PostgreSQL holds equals a model, whatever the history."""

import itertools
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balance_storage import rows, sql

pytestmark = pytest.mark.integration

KINDS = ("snapshot", "update", "absent", "backfill")
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
def connection(migrated):
    """Give a connection with the staging table."""
    with psycopg.connect(migrated) as connection:
        connection.execute(sql.STAGE)
        connection.commit()
        yield connection


def store(connection, batches):
    """Empty the tables, then store batch after batch."""
    connection.execute("TRUNCATE balancebus.events, balancebus.balances")
    offsets = itertools.count()
    for batch in batches:
        placed = [rows.Placed(event, "t", 0, next(offsets)) for event in batch]
        lines = itertools.starmap(rows.copy_line, enumerate(placed))
        with connection.cursor() as cursor:
            with cursor.copy(sql.COPY) as copy:
                copy.write(rows.copy_text(lines))
            cursor.execute(sql.MERGE)
        connection.commit()


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
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(TOLD, max_size=12), max_size=4))
def test_tables_equal_the_model(connection, make_event, told):
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
    store(connection, batches)
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
def test_backfill_that_repeats_an_update_changes_no_balance(
    connection, make_event, together
):
    """A fact of the past, told late, is not the present."""
    history = [
        make_event(event_id="a", balance=Decimal(1)),
        make_event(event_id="b", balance=Decimal(2)),
        make_event(event_id="a", balance=Decimal(1), kind="backfill", epoch=2),
    ]
    store(connection, [history] if together else [[event] for event in history])
    assert Decimal(2) == one_balance(connection)


@pytest.mark.parametrize("together", [True, False])
def test_update_that_repeats_a_backfill_changes_the_balance(
    connection, make_event, together
):
    """The history was asked first, but the stream's word is what counts."""
    history = [
        make_event(event_id="p", balance=Decimal(1), kind="snapshot"),
        make_event(event_id="a", balance=Decimal(3), kind="backfill"),
        make_event(event_id="a", balance=Decimal(3)),
    ]
    store(connection, [history] if together else [[event] for event in history])
    assert Decimal(3) == one_balance(connection)
    assert events_of(connection)["a"][0] == "backfill"


@pytest.mark.parametrize("together", [True, False])
def test_echo_of_an_update_does_not_undo_a_newer_one(connection, make_event, together):
    """The same fact again in the same epoch is no news."""
    history = [
        make_event(event_id="a", balance=Decimal(1)),
        make_event(event_id="b", balance=Decimal(2)),
        make_event(event_id="a", balance=Decimal(1)),
    ]
    store(connection, [history] if together else [[event] for event in history])
    assert Decimal(2) == one_balance(connection)


def test_amounts_are_exact(connection, make_event):
    """Every digit of 38 comes back from numeric and from JSON."""
    amount = Decimal("-12345678901234567890.123456789012345678")
    store(connection, [[make_event(balance=amount, available=amount, delta=amount)]])
    (found,) = connection.execute(
        "SELECT balance, available, delta FROM balancebus.events"
    ).fetchall()
    assert (amount, amount, amount) == found
    assert amount == one_balance(connection)


def test_place_of_another_record_is_refused(connection, make_event):
    """Two ids at one place mean a topic made anew; that must not be swallowed."""
    store(connection, [[make_event(event_id="a")]])
    line = rows.copy_line(0, rows.Placed(make_event(event_id="b"), "t", 0, 0))
    with connection.cursor() as cursor:
        with cursor.copy(sql.COPY) as copy:
            copy.write(line.encode())
        with pytest.raises(psycopg.errors.UniqueViolation, match="events_place"):
            cursor.execute(sql.MERGE)
    connection.rollback()
