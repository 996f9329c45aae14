"""`balancebus verify` says what disagrees, in words, JSON and its exit code."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_cli.verify import Spoken
from balance_storage.schema import migrate

PROGRAM = Path(sys.executable).with_name("balancebus")


def run(*arguments, **settings):
    """Return the exit code and the output of the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    named = {f"BALANCEBUS_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        [PROGRAM, "verify", *arguments],
        env=kept | named | {"COLUMNS": "60"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def settings(stack):
    """Give the settings of empty topics and a database of one's own."""
    name = f"verify_{uuid.uuid4().hex}"
    server = stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    dsn = make_conninfo(server, dbname=name)
    own = {
        "POSTGRES_DSN": dsn,
        "TOPIC_PREFIX": name,
        "KAFKA_BOOTSTRAP_SERVERS": stack.endpoints.kafka_bootstrap_servers,
        "SCHEMA_REGISTRY_URL": stack.endpoints.schema_registry_url,
    }
    environment = os.environ | {
        f"BALANCEBUS_{key}": value for key, value in own.items()
    }
    subprocess.run(
        [PROGRAM, "topics", "apply"], env=environment, check=True, capture_output=True
    )
    migrate(dsn)
    yield own
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.integration
def test_books_that_agree_and_books_that_do_not(settings):
    """Cron reads the exit code, people the table, programs the JSON."""
    code, text = run(**settings)
    assert (0, True) == (code, "PostgreSQL and Kafka agree" in text)
    with psycopg.connect(settings["POSTGRES_DSN"]) as connection:
        connection.execute(
            "INSERT INTO balancebus.accounts (venue, account, number)"
            " VALUES ('kraken', 'main', 3)"
        )
    code, text = run(**settings)
    assert 1 == code
    assert "rows 1 to 3" in text
    code, text = run("--format", "json", **settings)
    told, _ = json.JSONDecoder().raw_decode(text)  # errors and progress may follow
    finding = {"kind": "missing", "account": "kraken|main", "where": "rows 1 to 3"}
    assert (1, False, [finding]) == (code, told["agree"], told["findings"])


@pytest.mark.integration
def test_long_names_are_whole_where_there_is_no_terminal(settings):
    """Cron's mail says of which account and where; a name that is cut names nothing."""
    account = "of-the-firm-" + "x" * 52
    with psycopg.connect(settings["POSTGRES_DSN"]) as connection:
        connection.execute(
            "INSERT INTO balancebus.accounts (venue, account, number)"
            " VALUES ('zerohash', %s, 1234567890)",
            (account,),
        )
    code, text = run(**settings)
    assert (1, 2) == (code, text.count(f"zerohash|{account}"))
    assert "rows 1 to 1234567890" in text
    assert "…" not in text


@pytest.mark.integration
def test_kafka_that_does_not_answer_is_one_line(settings):
    """What could not be found out is told in time, without what clients log."""
    code, text = run(**settings | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert 1 == code
    said = "balancebus: cannot verify: Kafka at 127.0.0.1:1 does not answer"
    assert [said] == text.splitlines()


def test_log_is_told_now_and_then_how_far_it_is(capsys):
    """Who has no screen sees that it goes on, and short books say nothing."""
    now = 0.0
    told = Spoken(lambda: now)
    for now in (1.0, 9.0, 11.0, 12.0, 21.0):
        told("rows", int(now) * 1000, 30_000)
    said = [f"balancebus: rows: {count} of 30,000" for count in ("11,000", "21,000")]
    assert said == capsys.readouterr().err.splitlines()


def test_bad_settings_are_one_line_and_exit_code_2():
    """The password that the setting may hold is not shown."""
    code, text = run(POSTGRES_DSN="hunter2")
    assert 2 == code
    assert text.startswith("balancebus: BALANCEBUS_POSTGRES_DSN: not a libpq")
    assert "hunter2" not in text
    assert 1 == len(text.splitlines())


def test_database_that_cannot_be_reached_is_one_line():
    """What could not be found out is not called right."""
    code, text = run(POSTGRES_DSN="postgresql://nobody@127.0.0.1:1/none")
    assert 1 == code
    assert text.startswith("balancebus: cannot verify: ")
