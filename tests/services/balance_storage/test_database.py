"""Positions and rows move together; whoever comes second is told so."""

import pytest

from balance_shared.errors import SettingsError
from balance_storage import rows
from balance_storage.database import Database, PositionsMoved, checked_dsn

PLACE = ("t", 0)


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
