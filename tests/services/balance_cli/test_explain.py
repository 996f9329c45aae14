"""`balancebus explain`: from a venue's frame to the figure, on the real parts."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_schemas.codec import decode, frame
from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS, FRAMES, RECONCILIATIONS, TOPICS
from balance_shared.kafka import Producer, apply_topics
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import StorageSettings
from balance_shared.testing import VirtualClock, run_virtually
from balance_storage.service import run as run_storage

sys.path.insert(0, str(Path(__file__).parents[2] / "venues"))  # for world, dialects

import world as worlds
from dialects import DIALECTS

PROGRAM = Path(sys.executable).with_name("balancebus")
KEY = "kraken|main||spot/main|BTC"


def run(*arguments, settings=None, dsn="postgresql://nobody@127.0.0.1:1/none"):
    """Return the exit code, the output and the errors of the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    if settings is not None:
        dsn = settings.postgres_dsn.get_secret_value()
        kept |= {
            "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "BALANCEBUS_SCHEMA_REGISTRY_URL": settings.schema_registry_url,
            "BALANCEBUS_TOPIC_PREFIX": settings.topic_prefix,
        }
    done = subprocess.run(
        [PROGRAM, "explain", *arguments],
        env=kept | {"COLUMNS": "80", "BALANCEBUS_POSTGRES_DSN": dsn},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


async def told_by_kraken():
    """Return the bus of a connector that was told three deposits of bitcoin."""
    world = worlds.World(DIALECTS["kraken"])
    async with world.running():
        await world.until_live()
        for amount in ("0.5", "0.25", "0.0000000001"):
            world.venue.operate("deposit", {"asset": "BTC", "amount": amount})
            await asyncio.sleep(1)
        await asyncio.sleep(3 * worlds.POLL_S)
    return world.bus


@pytest.fixture(scope="module")
async def stored(stack):
    """Give the settings of a bus and a database on which a connector's words lie."""
    name = f"explain_{uuid.uuid4().hex}"
    server = stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    settings = StorageSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        postgres_dsn=make_conninfo(server, dbname=name),
        topic_prefix=name,
        topic_partitions=4,
    )
    with pytest.MonkeyPatch.context() as patch:
        clock = partial(VirtualClock, datetime.now(UTC) - timedelta(hours=1))
        patch.setattr(worlds, "VirtualClock", clock)
        bus = await asyncio.to_thread(lambda: run_virtually(told_by_kraken()))
    topics = FRAMES, EVENTS, RECONCILIATIONS
    records = [one for topic in topics for one in bus.records[topic.name]]
    await apply_topics(settings)
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, TOPICS) as producer,
    ):
        await producer.publish(records)
    events = [
        decode(BalanceEvent, frame(1, one.body))
        for one in records
        if one.topic == EVENTS
    ]
    await store(settings, len(events) + len(bus.records[RECONCILIATIONS.name]))
    yield settings, events
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def store(settings, count):
    """Run storage until so many records are taken in."""
    task = asyncio.create_task(run_storage(settings, Parts()))
    taken = "SELECT sum(next_offset)::bigint FROM balancebus.consumer_offsets"
    try:
        async with asyncio.timeout(180):
            while (await asyncio.to_thread(ask, settings, taken) or 0) < count:  # noqa: ASYNC110 — the database tells nobody
                await asyncio.sleep(0.2)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ask(settings, query):
    """Return one value, None while there are no tables."""
    try:
        with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
            return connection.execute(query).fetchone()[0]
    except psycopg.errors.UndefinedTable:
        return None


@pytest.mark.integration
def test_figure_is_explained_down_to_the_frame(stored):
    """Picture, deposits with their ledger lines, REST, and where each frame lies."""
    settings, events = stored
    told = [event for event in events if event.key == KEY]
    code, out, err = run("kraken|spot|btc", "--format", "json", settings=settings)
    assert 0 == code, err
    found = json.loads(out)
    assert (KEY, True, 0) == (found["key"], found["adds_up"], found["changes_not_told"])
    assert Decimal(found["balance"]) == told[-1].balance
    assert found["base"]["is_picture"]
    assert [event.event_id for event in told[1:]] == [
        step["event_id"] for step in found["steps"]
    ]
    assert ["0.5", "0.25", "0.0000000001"] == [
        step["lines"][0]["amount"] for step in found["steps"]
    ]
    frames = [found["base"]["frame"], *(step["frame"] for step in found["steps"])]
    name = FRAMES.full_name(settings.topic_prefix)
    assert {name} == {each["topic"] for each in frames}
    assert len({each["topic_offset"] for each in frames}) == len(frames)
    assert told[-1].movements[0].movement_id in frames[-1]["payload"]
    assert {"consistent"} == {each["verdict"] for each in found["reconciliations"]}


@pytest.mark.integration
def test_tree_is_for_people(stored):
    """It fits 80 columns and says whether it adds up."""
    settings, _ = stored
    code, out, _ = run(KEY, settings=settings)
    assert 0 == code
    assert "adds up" in out
    assert "then 3 changes" in out
    assert "compared with REST since" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "frame: not looked for" in run(KEY, "--no-frames", settings=settings)[1]


@pytest.mark.integration
def test_proof_of_another_figure_is_not_shown_as_one_of_this(stored):
    """It names the figure that it is of, in words and in JSON."""
    settings, events = stored
    told = [event for event in events if event.key == KEY]
    last = told[-1]
    columns = "venue, account, subaccount, wallet, wallet_id, asset"
    with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
        connection.execute(
            f"INSERT INTO balancebus.proofs (balance_key, {columns}, verdict, method,"  # noqa: S608
            " reason, expected, observed, residual, checked_at, last_event_id)"
            f" SELECT balance_key, {columns}, 'PROVEN', 'chain', '', %s, %s, 0, now(), %s"
            " FROM balancebus.balance_keys WHERE balance_key = %s",
            (last.balance, last.balance, last.event_id, KEY),
        )
    try:
        _, out, _ = run(KEY, "--no-frames", settings=settings)
        assert "proof says PROVEN by chain" in out
        asked = (KEY, "--no-frames", "--at", told[2].received_at.isoformat())
        _, out, _ = run(*asked, settings=settings)
        assert "proof says PROVEN of another figure" in out
        for given, expected in ((asked, False), ((KEY, "--no-frames"), True)):
            _, out, _ = run(*given, "--format", "json", settings=settings)
            assert expected is json.loads(out)["proof"]["of_this_figure"]
    finally:
        with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
            connection.execute("DELETE FROM balancebus.proofs")


@pytest.mark.integration
def test_older_time_has_an_older_figure(stored):
    """What was true between the deposits, and what was known then."""
    settings, events = stored
    told = [event for event in events if event.key == KEY]
    at = told[2].received_at.isoformat()
    for option in ("--at", "--known-at"):
        _, out, _ = run(KEY, option, at, "--format", "json", settings=settings)
        found = json.loads(out)
        assert Decimal(found["balance"]) == told[2].balance
        assert 2 == len(found["steps"])
    code, out, err = run(KEY, "--at", "2001-01-01", settings=settings)
    assert 2 == code
    assert f"balancebus: KEY: nothing was known of {KEY} then" in out + err


@pytest.mark.integration
def test_unknown_key_is_one_line(stored):
    """With what may be meant."""
    settings, _ = stored
    code, out, err = run("kraken|main||spot/main|BTD", settings=settings)
    assert 2 == code
    assert f"did you mean {KEY}" in (out + err)


def test_database_that_does_not_answer_is_told():
    """One line, and no trace."""
    code, out, err = run(KEY)
    assert 1 == code
    assert (out + err).startswith("balancebus: PostgreSQL: ")


def test_wrong_time_is_one_line():
    """Exit code 2."""
    code, out, err = run(KEY, "--at", "noon")
    assert 2 == code
    assert "balancebus: --at: 'noon' is not a time" in out + err
