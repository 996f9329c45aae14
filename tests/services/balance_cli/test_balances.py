"""`balancebus balances` shows what was true when, with every digit."""

import csv
import io
import json
import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_schemas.records import BalanceEvent
from balance_storage import rows
from balance_storage.database import Database
from balance_storage.schema import migrate

PROGRAM = Path(sys.executable).with_name("balancebus")
PLACE = ("t", 0)


def run(*arguments, dsn="postgresql://nobody@127.0.0.1:1/none", columns="60"):
    """Return the exit code and the output of the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    done = subprocess.run(
        [PROGRAM, "balances", *arguments],
        env=kept | {"BALANCEBUS_POSTGRES_DSN": dsn, "COLUMNS": columns},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def event(number, **fields):
    """Return an event of one wallet at an hour."""
    at = datetime(2026, 3, 1, number, tzinfo=UTC)
    defaults = {
        "event_id": f"id-{number}",
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "feed": "ws",
        "wallet": "spot",
        "wallet_id": "main",
        "nature": "asset",
        "asset": "BTC",
        "venue_asset": "XXBT",
        "asset_class": "currency",
        "network": "",
        "kind": "update",
        "balance": Decimal(f"{number}2345678901234567890.123456789012345678"),
        "balance_scope": "wallet",
        "received_at": at,
        "epoch": 1,
    }
    return BalanceEvent(**(defaults | fields))


@contextmanager
def empty_database(server):
    """Make a database of one's own and drop it at the end."""
    name = f"balances_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def dsn(stack):
    """Give a database with two events of one balance and one of another account."""
    with empty_database(stack.endpoints.postgres_dsn) as own:
        migrate(own)
        told = [event(1), event(2), event(3, account="other", asset="ETH")]
        placed = [rows.Placed(one, *PLACE, at) for at, one in enumerate(told)]
        async with Database.connect(own) as database:
            before = await database.positions([PLACE])
            made = [rows.row_of(one) for one in placed]
            await database.store(made, before, {PLACE: 3})
        yield own


@pytest.mark.integration
async def test_table_is_never_cut(dsn):
    """Every digit is there, however narrow the terminal."""
    code, text = run(dsn=dsn)
    assert code == 0
    assert "22345678901234567890.123456789012345678" in text
    assert "2026-03-01 02:00:00" in text


@pytest.mark.integration
async def test_two_times_choose_the_fact(dsn):
    """What was true at a time, or known at a time, is an older fact."""
    for arguments in (
        ("--at", "2026-03-01T01:30:00Z"),
        ("--known-at", "2026-03-01 02:30+01:00"),
    ):
        code, text = run(*arguments, "--format", "json", dsn=dsn)
        assert code == 0
        (held,) = json.loads(text)
        assert held["balance"] == "12345678901234567890.123456789012345678"
        assert held["available"] is None
        assert held["effective_at"] == "2026-03-01T01:00:00+00:00"


@pytest.mark.integration
async def test_csv_has_the_accounts_asked_for(dsn):
    """A spreadsheet reads it, with a header."""
    code, text = run("--format", "csv", "--account", "other", dsn=dsn)
    assert code == 0
    (held,) = csv.DictReader(io.StringIO(text))
    assert (held["asset"], held["event_id"]) == ("ETH", "id-3")


@pytest.mark.integration
async def test_present_figures_are_not_those_of_the_future(dsn):
    """They are shown, and a line beside them says what they are."""
    code, text = run("--at", "2999-01-01", "--account", "main", dsn=dsn)
    assert 0 == code
    assert "balancebus: --at: 2999-01-01T00:00:00+00:00 is in the future" in text
    code, text = run("--at", "2026-03-01T02:00:00Z", dsn=dsn)
    assert "future" not in text


@pytest.mark.integration
@pytest.mark.parametrize("name", ["nosuch", "kraken|main"])
async def test_unknown_account_is_no_empty_table(dsn, name):
    """A slip of the pen does not read as holding nothing."""
    code, text = run("--account", "main", "--account", name, dsn=dsn)
    assert 2 == code
    said = f"balancebus: --account: no account {name!r}; stored are: main, other\n"
    assert said == text


@pytest.mark.parametrize("option", ["--at", "--known-at"])
def test_wrong_time_is_one_line_and_exit_code_2(option):
    """The line names the option and shows a right one."""
    code, text = run(option, "yesterday")
    assert code == 2
    assert text == (
        f"balancebus: {option}: 'yesterday' is not a time"
        " such as 2026-03-01T12:00:00Z\n"
    )


def test_help_says_what_is_asked_for_by_default():
    """Nobody has to guess which time and whose balances."""
    code, text = run("--help", columns="120")
    assert 0 == code
    assert (2, 1) == (text.count("[default: (now)]"), text.count("[default: (all)]"))


def test_database_that_does_not_answer_is_told():
    """No stack of calls, and no empty success."""
    code, text = run()
    assert code == 1
    assert text.startswith("balancebus: PostgreSQL: connection failed")
    assert 1 == len(text.splitlines())


@pytest.mark.integration
async def test_database_without_tables_is_told(stack):
    """It says which command makes them."""
    with empty_database(stack.endpoints.postgres_dsn) as bare:
        code, text = run(dsn=bare)
    assert code == 2
    assert "run `balancebus storage migrate`" in text
