"""`balancebus storage` says in one line why it cannot use a database."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from balance_storage.schema import migrate

PROGRAM = Path(sys.executable).with_name("balancebus")


def run(*arguments, dsn):
    """Return the exit code and the lines of the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    own = {"BALANCEBUS_POSTGRES_DSN": dsn, "BALANCEBUS_HTTP_PORT": "0"}
    done = subprocess.run(
        [PROGRAM, *(arguments or ["storage"])],
        env=kept | own | {"BALANCEBUS_HTTP_HOST": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture
def database(stack):
    """Give an empty database and a user without any rights in it."""
    name = f"refused_{uuid.uuid4().hex}"
    server = stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"CREATE ROLE {name} LOGIN")
    owner = make_conninfo(server, dbname=name)
    yield owner, make_conninfo(owner, user=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE {name}")


def reason(lines):
    """Return why the service ended; that is the last thing it says, and one line."""
    told = [json.loads(line) for line in lines]
    assert "stopped" == told[-1]["event"]
    assert 1 == sum(one["level"] != "info" for one in told)
    return told[-1]["error"]


def test_dsn_that_cannot_be_read_is_not_shown():
    """It may hold a password."""
    code, lines = run(dsn="hunter2")
    assert 2 == code
    assert "BALANCEBUS_POSTGRES_DSN: not a libpq" in reason(lines)
    assert "hunter2" not in "".join(lines)


def test_database_that_does_not_answer_is_one_line():
    """However many lines PostgreSQL's library makes of it."""
    code, (line,) = run(
        "storage", "migrate", dsn="postgresql://nobody@127.0.0.1:1/none"
    )
    assert 1 == code
    assert line.startswith("balancebus: cannot reach PostgreSQL: connection failed")


@pytest.mark.integration
def test_missing_tables_that_we_may_not_make_are_told(database):
    """The line says who has to do what."""
    code, lines = run(dsn=database[1])
    assert 2 == code
    assert "let the owner of its tables run `balancebus storage migrate`" in reason(
        lines
    )


@pytest.mark.integration
def test_user_without_the_writers_role_is_told(database):
    """Tables that are up to date do not help who may not write them."""
    owner, weak = database
    migrate(owner)
    code, lines = run(dsn=weak)
    assert 2 == code
    assert "balancebus_writer" in reason(lines)


@pytest.mark.integration
def test_user_with_only_the_readers_role_is_told(database):
    """Who may read all and write nothing stores nothing, and nothing is connected."""
    owner, weak = database
    migrate(owner)
    with psycopg.connect(owner) as connection:
        name = conninfo_to_dict(weak)["user"]
        connection.execute(f"GRANT balancebus_reader TO {name}")
    code, lines = run(dsn=weak)
    assert 2 == code
    told = "this user lacks UPDATE on status: GRANT balancebus_writer to it"
    assert told in reason(lines)
    code, lines = run("storage", "rebuild", dsn=weak)
    assert 2 == code
    (line,) = [line for line in lines if line]
    assert line.startswith("balancebus: BALANCEBUS_POSTGRES_DSN: ")
    assert told in line


@pytest.mark.integration
def test_tables_of_a_newer_release_are_told(database):
    """An old program does not touch tables that it does not know."""
    owner, _ = database
    migrate(owner)
    with psycopg.connect(owner) as connection:
        connection.execute("UPDATE balancebus.alembic_version SET version_num = '9'")
    code, lines = run(dsn=owner)
    assert 2 == code
    assert "revision 9, unknown to this version" in reason(lines)
    code, lines = run("storage", "migrate", dsn=owner)
    assert (2, 1) == (code, len([line for line in lines if line]))


@pytest.mark.integration
@pytest.mark.parametrize(
    "command",
    [
        "storage",
        "storage migrate",
        "storage rebuild",
        "verify",
        "balances",
        "explain kraken|main||spot/main|BTC",
    ],
)
def test_dsn_of_nobody_is_one_line(stack, command):
    """To try it again for ever would help nobody who mistyped a name."""
    dsn = make_conninfo(stack.endpoints.postgres_dsn, dbname="misspelt")
    code, lines = run(*command.split(), dsn=dsn)
    (line,) = [line for line in lines if "BALANCEBUS_POSTGRES_DSN: " in line]
    assert 2 == code
    assert 'database "misspelt" does not exist' in line.replace('\\"', '"')
