"""The tables: made once by whoever is first, described, and guarded."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from balance_shared.errors import SettingsError
from balance_storage.schema import Migrated, migrate

pytestmark = pytest.mark.integration


def test_instances_that_start_together_make_the_tables_once(dsn):
    """One instance makes the tables, the others wait and find them."""
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA IF EXISTS balancebus CASCADE")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(migrate, [dsn] * 4))
    assert results.count(Migrated(None, "0002")) == 1
    assert results.count(Migrated("0002", "0002")) == 3


def test_every_table_and_column_is_described(migrated):
    """Whoever finds the tables can read what is in them."""
    with psycopg.connect(migrated) as connection:
        undescribed = connection.execute("""
            SELECT c.relname, a.attname
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0
            WHERE c.relnamespace = 'balancebus'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT c.relispartition
                AND c.relname <> 'alembic_version' AND NOT a.attisdropped
                AND (col_description(c.oid, a.attnum) IS NULL
                     OR obj_description(c.oid) IS NULL)
        """).fetchall()
    assert undescribed == []


def test_tables_of_a_newer_version_are_refused(migrated):
    """An old program does not touch tables that it does not know."""
    with psycopg.connect(migrated) as connection:
        connection.execute("UPDATE balancebus.alembic_version SET version_num = '9'")
        connection.commit()
        try:
            with pytest.raises(SettingsError, match="revision 9, unknown"):
                migrate(migrated)
        finally:
            connection.execute(
                "UPDATE balancebus.alembic_version SET version_num = '0002'"
            )


def test_user_without_rights_is_refused_in_one_line(migrated):
    """Missing rights are a matter of settings, not of trying again."""
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_here")
        connection.execute("CREATE ROLE nobody_here LOGIN")
        connection.execute("DROP SCHEMA balancebus CASCADE")
        weak = psycopg.conninfo.make_conninfo(migrated, user="nobody_here")
        try:
            with pytest.raises(SettingsError, match="permission denied"):
                migrate(weak)
        finally:
            connection.execute("DROP ROLE nobody_here")
    migrate(migrated)


def upgrade_to(dsn, revision):
    """Bring the tables to a revision of the past."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn)
    )
    config = Config()
    config.set_main_option("script_location", "balance_storage:migrations")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE SCHEMA balancebus")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_events_of_the_first_release_are_moved(dsn):
    """No event, ledger line or balance is lost, and each knows when it took effect."""
    line = '{"movement_id": "L1", "type": "trade", "amount": "0.000000000000000001"}'
    told = [
        ("a", "snapshot", 1, "10:00", None, 1, "[]"),
        (
            "b",
            "update",
            2,
            "11:00",
            "09:00",
            2,
            (
                f"[{line.replace('}', ', ')}"
                '"attributes": {}, "occurred_at": "2026-03-01T11:00:00Z"}]'
            ),
        ),
        ("c", "update", 1, "12:00", None, None, "[]"),
        ("d", "backfill", 2, "13:00", "08:00", None, "[]"),
    ]
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA IF EXISTS balancebus CASCADE")
    upgrade_to(dsn, "0001")
    with psycopg.connect(dsn) as connection:
        for offset, (name, kind, epoch, arrived, happened, live, lines) in enumerate(
            told
        ):
            connection.execute(
                "INSERT INTO balancebus.events VALUES (%s, 'k', 'v', 'm', '', 'ws',"
                " 'spot', '', 'asset', 'BTC', '', '', '', %s, %s, NULL, NULL, NULL, '',"
                " %s, '2026-03-01Z'::timestamptz + %s::interval,"
                " '2026-03-01Z'::timestamptz + %s::interval, %s, NULL, NULL, NULL, NULL,"
                " '{}', 't', 0, %s, %s)",
                (name, kind, offset, lines, happened, arrived, epoch, offset, live),
            )
        connection.execute(
            "INSERT INTO balancebus.balances SELECT balance_key, venue, account,"
            " subaccount, wallet, wallet_id, nature, asset, kind, balance, available,"
            " venue_time, received_at, epoch, event_id, topic, topic_partition,"
            " topic_offset FROM balancebus.events WHERE event_id = 'b'"
        )
    assert Migrated("0001", "0002") == migrate(dsn)
    assert Migrated("0002", "0002") == migrate(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("SET timezone = 'UTC'")
        events = connection.execute(
            "SELECT event_id, to_char(effective_at, 'HH24:MI') FROM balancebus.events"
            " ORDER BY 1"
        ).fetchall()
        lines = connection.execute(
            "SELECT event_id, line, amount, change FROM balancebus.movements"
        ).fetchall()
        held = connection.execute(
            "SELECT event_id, balance FROM balancebus.balances_as_of('infinity')"
        ).fetchall()
        ids = connection.execute("TABLE balancebus.event_ids ORDER BY 1").fetchall()
        partitions = connection.execute(
            "SELECT DISTINCT tableoid::regclass::text FROM balancebus.events"
        ).fetchall()
    assert [("a", "10:00"), ("b", "10:00"), ("c", None), ("d", "08:00")] == events
    assert [("b", 0, Decimal("0.000000000000000001"), None)] == lines
    assert [("b", Decimal(1))] == held
    assert [("a", 1), ("b", 2), ("c", None), ("d", None)] == ids
    assert [("balancebus.events_2026_03",)] == partitions


def test_retention_keeps_what_still_answers(migrated):
    """Old months go, but the last word on a balance stays, whatever its age."""
    with psycopg.connect(migrated) as connection:
        connection.execute("TRUNCATE balancebus.events, balancebus.event_ids")
        for month, name in enumerate("abc", 1):
            at = f"2026-0{month}-15Z"
            connection.execute("SELECT balancebus.make_partition(%s)", (at,))
            connection.execute(
                "INSERT INTO balancebus.event_ids VALUES (%s, 1)", (name,)
            )
            connection.execute(
                "INSERT INTO balancebus.events VALUES (%(name)s, 'k', 'v', 'm', '',"
                " 'ws', 'spot', '', 'asset', 'BTC', '', '', '', 'update', 1, NULL,"
                " NULL, NULL, '', NULL, %(at)s, 1, NULL, NULL, NULL, NULL, '{}', 't', 0,"
                " 0, %(at)s)",
                {"name": name, "at": at},
            )
        dropped = connection.execute(
            "SELECT balancebus.drop_partitions('2026-03-20Z')"
        ).fetchone()
        left = connection.execute(
            "SELECT event_id, tableoid::regclass::text FROM balancebus.events ORDER BY 1"
        ).fetchall()
        ids = connection.execute("TABLE balancebus.event_ids ORDER BY 1").fetchall()
        connection.rollback()
    assert (6,) == dropped
    assert [
        ("b", "balancebus.events_default"),
        ("c", "balancebus.events_2026_03"),
    ] == left
    assert [("b", 1), ("c", 1)] == ids
