"""Bringing the tables up to date: Alembic under a lock, so that any instance may."""

from dataclasses import dataclass

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import DBAPIError

from balance_shared.errors import SettingsError
from balance_storage import descriptions, roles
from balance_storage.connecting import connected_at_once

SCHEMA = "balancebus"
"""PostgreSQL schema of all our tables."""

_COMMENTS = """
SELECT c.relname, coalesce(a.attname, ''), c.relkind = 'v',
    CASE WHEN a.attname IS NULL THEN obj_description(c.oid, 'pg_class')
    ELSE col_description(c.oid, a.attnum) END
FROM pg_class c
LEFT JOIN LATERAL (
    SELECT attname, attnum FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT NULL, 0
) AS a ON true
WHERE c.relnamespace = 'balancebus'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND pg_has_role(c.relowner, 'USAGE')
"""
"""Table or view, column (empty: the table itself), whether it is a view, and comment,
of what we may comment."""

_LOCK = 0x62616C62
"""Advisory lock that instances starting together queue for."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `migrate` found and did.

    Attributes:
        before: the revision found; None: no tables.
        after: the revision now.
        notice: what somebody else has to do, in one line; None: nothing.
    """

    before: str | None
    after: str
    notice: str | None = None


def migrate(dsn: str, *, grants: bool = False, writes: bool = False) -> Migrated:
    """Apply the migrations that are missing; blocking, safe to run from anywhere.

    Args:
        dsn: libpq connection string or URL.
        grants: see to the roles even if no migration is missing.
        writes: refuse a user who may not write to the tables.

    Raises:
        SettingsError: the tables are of a newer version of this software, the user
            may not make them or not write to them, or there is no such user or
            database.
        psycopg.OperationalError: the database cannot be reached. Try again.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connected_at_once(dsn),
        poolclass=pool.NullPool,
    )
    try:
        with engine.connect() as connection, connection.begin():
            done = _upgrade(connection, grants)
            if writes and (lacking := roles.lacking(connection)):
                raise _refused(
                    f"this user lacks {lacking[0]}: GRANT {roles.WRITER} to it"
                )
            return done
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise _refused(
                f"{error.orig.diag.message_primary}; let the owner of its tables run "
                "`balancebus storage migrate`, and be a member of "
                f"{roles.WRITER}"
            ) from error
        raise error.orig or error from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection, grants: bool) -> Migrated:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    config = Config()
    config.set_main_option("script_location", "balance_storage:migrations")
    config.attributes["connection"] = connection
    head = ScriptDirectory.from_config(config).get_current_head() or ""
    before, notice = _revision(connection), None
    if before != head:
        _make_schema(connection)
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise _refused(
                f"its tables have revision {before}, unknown to this version "
                f"(newest known: {head}); upgrade balancebus"
            ) from error
    if before != head or grants:
        notice = roles.grant(connection)
    _describe(connection)
    return Migrated(before, head, notice)


def _describe(connection: Connection) -> None:
    """Correct the comments that are not `descriptions`, on tables that are ours."""
    rows = connection.exec_driver_sql(_COMMENTS).fetchall()
    found = {(table, column): comment for table, column, _, comment in rows}
    views = {table for table, _, view, _ in rows if view}
    for table, meaning in descriptions.of_tables().items():
        for column, text in ({"": meaning} | descriptions.of_columns(table)).items():
            if (table, column) in found and found[table, column] != text:
                kind = "VIEW" if table in views else "TABLE"
                thing = f"COLUMN {SCHEMA}.{table}.{column}"
                whole = f"{kind} {SCHEMA}.{table}"
                quoted = text.replace("'", "''").replace("%", "%%")
                connection.exec_driver_sql(
                    f"COMMENT ON {thing if column else whole} IS '{quoted}'"
                )


def _make_schema(connection: Connection) -> None:
    """Make the schema; where somebody with more rights has done so, leave it."""
    found = connection.exec_driver_sql(f"SELECT to_regnamespace('{SCHEMA}')")
    if found.scalar() is None:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(
        connection, opts={"version_table_schema": SCHEMA}
    ).get_current_revision()


def _refused(why: str) -> SettingsError:
    return SettingsError(f"BALANCEBUS_POSTGRES_DSN: cannot use this database: {why}")
