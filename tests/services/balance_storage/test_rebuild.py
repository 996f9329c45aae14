"""Tables that are made again from the topics are the tables that were there."""

from decimal import Decimal

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_schemas.records import Movement
from balance_storage.rebuild import rebuild

pytestmark = pytest.mark.integration

OWN = frozenset({"stored_at", "account_id"})
"""Columns that say when and under which number a row was stored, and no more."""

TABLES = "events", "retellings", "movements", "balances"


def rows_of(dsn, table):
    """Return the rows of a table or view, without order, by their columns' names."""
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(f"SELECT * FROM balancebus.{table}")  # noqa: S608 — our own names
        names = [column.name for column in cursor.description]
        return sorted(
            repr([(n, v) for n, v in zip(names, row, strict=True) if n not in OWN])
            for row in cursor
        )


def history(make_event):
    """Return events of two accounts: pictures, updates, late lines, repetitions."""
    events = []
    for account in ("main", "other"):
        for epoch in (1, 2):
            for number in range(40):
                kind = ("snapshot", "update", "update", "backfill", "absent")[
                    number % 5
                ]
                line = Movement(movement_id=f"L{number}", change=Decimal(number))
                events.append(
                    make_event(
                        account=account,
                        event_id=f"{account}-{number % 30}-{kind}",
                        asset=("BTC", "ETH", "USD")[number % 3],
                        kind=kind,
                        epoch=epoch,
                        balance=Decimal(number) if kind != "absent" else Decimal(0),
                        movements=(line,) if kind in {"update", "backfill"} else (),
                    )
                )
    return events


async def test_rebuilt_tables_equal_the_old_ones(bus, unmigrated, make_event):
    """Events, ledger lines, repetitions and current balances, column by column."""
    await bus.publish(history(make_event))
    async with bus.instance():
        await bus.until_taken(160)
        fresh = bus.settings.model_copy(
            update={"postgres_dsn": type(bus.settings.postgres_dsn)(unmigrated)}
        )
        told = []
        rebuilt = await rebuild(fresh, lambda *steps: told.append(steps))
        assert (160, ()) == (rebuilt.records, rebuilt.cut)
        assert (160, 160) == told[-1]
    old = bus.settings.postgres_dsn.get_secret_value()
    for table in TABLES:
        expected = rows_of(old, table)
        assert expected
        assert expected == rows_of(unmigrated, table)
    again = await rebuild(fresh, lambda *_: None)
    assert 0 == again.records


async def test_database_that_does_not_answer_is_told(bus):
    """It is no reason to wait for ever."""
    dsn = make_conninfo("", host="127.0.0.1", port=1, dbname="none", user="nobody")
    nowhere = bus.settings.model_copy(
        update={"postgres_dsn": type(bus.settings.postgres_dsn)(dsn)}
    )
    with pytest.raises(psycopg.OperationalError):
        await rebuild(nowhere, lambda *_: None)
