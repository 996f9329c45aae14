"""Who may do what: the writer stores, the reader reads, and neither more."""

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from balance_shared.errors import SettingsError
from balance_storage import rows
from balance_storage.as_of import held_as_of
from balance_storage.database import Database
from balance_storage.schema import Migrated, migrate

pytestmark = pytest.mark.integration

PLACE = ("t", 0)


@pytest.fixture
def login(migrated):
    """Give a function that makes a user of a role and returns its DSN."""
    made = []

    def make(role):
        name = f"{role or 'nobody'}_{len(made)}_test"
        made.append(sql.Identifier(name))
        with psycopg.connect(migrated, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(made[-1]))
            if role:
                grant = sql.SQL("GRANT {} TO {}")
                connection.execute(grant.format(sql.Identifier(role), made[-1]))
        return make_conninfo(migrated, user=name)

    yield make
    with psycopg.connect(migrated, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))


async def test_writer_may_do_what_storage_does(login, make_event):
    """Storage starts, makes partitions, and stores, without owning anything."""
    dsn = login("balancebus_writer")
    done = migrate(dsn, writes=True)
    assert Migrated(done.after, done.after) == done
    async with Database.connect(dsn) as database:
        await database.keep_partitions(90)
        before = await database.positions([PLACE])
        row = rows.row_of(rows.Placed(make_event(), *PLACE, 0))
        await database.store([row, row], before, {PLACE: 1})
    with (
        psycopg.connect(dsn) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("DELETE FROM balancebus.tellings")


async def test_reader_may_read_and_write_nothing(login):
    """People and dashboards see every table and change none."""
    dsn = login("balancebus_reader")
    assert isinstance(await held_as_of(dsn), list)
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT has_table_privilege(c.oid, 'SELECT'),"
            " has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
            " FROM pg_class c WHERE relnamespace = 'balancebus'::regnamespace"
            " AND relkind IN ('r', 'p', 'v') AND NOT relispartition"
        ).fetchall()
        assert {(True, False)} == set(tables)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT balancebus.drop_partitions(now())")


@pytest.mark.parametrize(
    ("right", "told"),
    [
        ("INSERT ON balancebus.frames", "INSERT on frames"),
        ("UPDATE ON balancebus.held", "UPDATE on held"),
        (
            "EXECUTE ON FUNCTION balancebus.make_partition",
            "EXECUTE on make_partition",
        ),
    ],
)
async def test_each_right_of_the_writer_is_asked_for(login, migrated, right, told):
    """A right that is missing is named before anything is read from Kafka."""
    dsn = login("balancebus_writer")
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute(f"REVOKE {right} FROM balancebus_writer")
        try:
            with pytest.raises(SettingsError, match=f"lacks {told}: GRANT"):
                migrate(dsn, writes=True)
        finally:
            connection.execute(f"GRANT {right} TO balancebus_writer")
