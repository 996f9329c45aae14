"""Bringing the tables up to date: Alembic under a lock, so that any instance may."""

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import DBAPIError

from balance_shared.errors import SettingsError

SCHEMA = "balancebus"
"""PostgreSQL schema of all our tables."""

_LOCK = 0x62616C62
"""Advisory lock that instances starting together queue for."""


def migrate(dsn: str) -> tuple[str | None, str]:
    """Apply the migrations that are missing; blocking, safe to run from anywhere.

    Args:
        dsn: libpq connection string or URL.

    Returns:
        The revision before (None: no tables) and after.

    Raises:
        SettingsError: the tables are of a newer version of this software, or the
            user may not make them.
        psycopg.OperationalError: the database cannot be reached. Try again.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(dsn),
        poolclass=pool.NullPool,
    )
    try:
        with engine.connect() as connection, connection.begin():
            return _upgrade(connection)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise _refused(str(error.orig)) from error
        raise error.orig or error from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    config = Config()
    config.set_main_option("script_location", "balance_storage:migrations")
    config.attributes["connection"] = connection
    head = ScriptDirectory.from_config(config).get_current_head() or ""
    before = _revision(connection)
    if before != head:
        _make_schema(connection)
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise _refused(
                f"its tables have revision {before}, unknown to this version "
                f"(newest known: {head}); upgrade balancebus"
            ) from error
    return before, head


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
