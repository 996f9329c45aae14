"""The tables: made once by whoever is first, described, and guarded."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from balance_shared.errors import SettingsError
from balance_storage.schema import migrate

pytestmark = pytest.mark.integration


def test_instances_that_start_together_make_the_tables_once(dsn):
    """One instance makes the tables, the others wait and find them."""
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA IF EXISTS balancebus CASCADE")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(migrate, [dsn] * 4))
    assert results.count((None, "0001")) == 1
    assert results.count(("0001", "0001")) == 3


def test_every_table_and_column_is_described(migrated):
    """Whoever finds the tables can read what is in them."""
    with psycopg.connect(migrated) as connection:
        undescribed = connection.execute("""
            SELECT c.relname, a.attname
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0
            WHERE c.relnamespace = 'balancebus'::regnamespace AND c.relkind = 'r'
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
                "UPDATE balancebus.alembic_version SET version_num = '0001'"
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
