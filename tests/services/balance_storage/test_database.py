"""Positions and rows move together; whoever comes second is told so."""

import asyncio
import itertools
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balance_shared.errors import SettingsError
from balance_storage import rows
from balance_storage.database import Database, PositionsMoved, checked_dsn

PLACE = ("t", 0)
RECEIVED_AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_dsn_gets_limits_but_keeps_its_own():
    """A dead connection is noticed, unless the DSN says how."""
    dsn = checked_dsn("postgresql://me@here/db?connect_timeout=3")
    assert "connect_timeout=3" in dsn
    assert "tcp_user_timeout=15000" in dsn


def test_unreadable_dsn_is_refused_without_being_shown():
    """It may hold a password."""
    with pytest.raises(SettingsError, match="BALANCEBUS_POSTGRES_DSN") as refused:
        checked_dsn("hunter2")
    assert "hunter2" not in str(refused.value)


def line(make_event, offset):
    """Return the rows of one event."""
    event = make_event(event_id=f"id-{offset}")
    return [rows.row_of(rows.Placed(event, *PLACE, offset))]


@pytest.mark.integration
async def test_position_of_a_new_partition_is_zero(migrated):
    """What was never read starts at the beginning."""
    async with Database.connect(migrated) as database:
        assert await database.positions([("new", 3)]) == {("new", 3): 0}


@pytest.mark.integration
async def test_second_of_two_writers_writes_nothing(migrated, make_event):
    """Of two that hold a partition for a moment, one stores; the other reads anew."""
    async with Database.connect(migrated) as one, Database.connect(migrated) as two:
        before = await one.positions([PLACE])
        assert before == await two.positions([PLACE])
        await one.store(line(make_event, 0), before, {PLACE: 1})
        with pytest.raises(PositionsMoved):
            await two.store(line(make_event, 1), before, {PLACE: 2})
        after = await two.positions([PLACE])
        assert after == {PLACE: 1}
        await two.store(line(make_event, 1), after, {PLACE: 2})
        assert await one.positions([PLACE]) == {PLACE: 2}


@pytest.mark.integration
async def test_batch_without_rows_moves_the_position(migrated):
    """A batch of nothing but dead letters is consumed."""
    async with Database.connect(migrated) as database:
        place = ("letters", 0)
        before = await database.positions([place])
        await database.store([], before, {place: 5})
        assert {place: 5} == await database.positions([place])


STORED = """
SELECT t.number, t.event_id, t.epoch, t.kind, t.balance, t.effective_at, t.again,
    i.live_epoch, h.number
FROM balancebus.tellings t JOIN balancebus.accounts a USING (account_id)
JOIN balancebus.event_ids i ON i.digest = balancebus.digest_of(t.event_id)
LEFT JOIN balancebus.held h USING (balance_id)
WHERE a.account = %s ORDER BY t.number
"""

TOLD = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["update", "update", "backfill", "snapshot"]),
        st.integers(1, 3),
        st.integers(0, 50),
    ),
    min_size=1,
    max_size=30,
)


def history(make_event, account, told):
    """Return rows of a few balances of an account; ids may be told again."""
    batch = []
    for at, (number, kind, epoch, hour) in enumerate(told):
        event = make_event(
            event_id=f"{account}|{number}",
            account=account,
            asset=f"C{number % 3}",
            kind=kind,
            epoch=epoch,
            balance=Decimal(at),
            venue_time=RECEIVED_AT - timedelta(hours=hour),
        )
        batch.append(rows.row_of(rows.Placed(event, account, 0, at)))
    return batch


def cut(batch, account, sizes):
    """Yield the stretches of a history: rows, and positions before and after."""
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(batch):
            return
        part = batch[at : at + size]
        yield part, {(account, 0): at}, {(account, 0): at + len(part)}
        at += size


def stored(dsn, account):
    """Return what is stored of an account, but for its name."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(STORED, (account,)).fetchall()
    return [
        tuple(one.replace(account, "") if isinstance(one, str) else one for one in line)
        for line in found
    ]


@pytest.mark.integration
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TOLD, st.lists(st.integers(1, 7), min_size=1, max_size=4), st.data())
async def test_batches_drafted_ahead_are_stored_as_if_asked_for(
    migrated, make_event, told, sizes, data
):
    """Whatever is told again, and whoever else stores: each batch by itself is right."""
    names = [uuid.uuid4().hex for _ in "abc"]
    places = [(name, 0) for name in names]
    async with (
        Database.connect(migrated) as ahead,
        Database.connect(migrated) as other,
    ):
        await ahead.positions(places)
        one_by_one, at_once, by_two = (
            list(cut(history(make_event, name, told), name, sizes)) for name in names
        )
        for stretch in one_by_one:
            async with Database.connect(migrated) as fresh:
                await fresh.store(*stretch)
        await asyncio.gather(*(ahead.store(*stretch) for stretch in at_once))
        for stretch in by_two:
            await data.draw(st.sampled_from([ahead, other])).store(*stretch)
    expected = stored(migrated, names[0])
    assert expected == stored(migrated, names[1])
    assert expected == stored(migrated, names[2])


@pytest.mark.integration
async def test_batch_whose_predecessor_failed_is_not_stored(migrated, make_event):
    """It would leave a gap: both are told that the positions are others."""
    name = uuid.uuid4().hex
    batch = history(make_event, name, [(at, "update", 1, 0) for at in range(6)])
    first, second, third = cut(batch, name, [2])
    async with Database.connect(migrated) as one, Database.connect(migrated) as two:
        await one.positions([(name, 0)])
        await one.store(*first)
        await two.store(*second)
        failed = await asyncio.gather(
            one.store(batch[2:3], {(name, 0): 2}, {(name, 0): 3}),
            one.store(batch[3:5], {(name, 0): 3}, {(name, 0): 5}),
            return_exceptions=True,
        )
        assert [PositionsMoved, PositionsMoved] == [type(error) for error in failed]
        await one.store(*third)
    assert [1, 2, 3, 4, 5, 6] == [line[0] for line in stored(migrated, name)]
