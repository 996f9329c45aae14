"""`balancebus replay` on the real Kafka: what a connector told there is made again."""

import asyncio
import json
import os
import random
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from balance_cli.replay import Asked
from balance_schemas.codec import decode, encode_body, frame
from balance_schemas.keys import partition_of
from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS, FRAMES, TOPICS
from balance_shared.kafka import Producer, apply_topics
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_shared.testing import run_virtually

sys.path.insert(0, str(Path(__file__).parents[2] / "venues"))  # for world, dialects

from dialects import DIALECTS
from world import World

PROGRAM = Path(sys.executable).with_name("balancebus")
START = datetime(2026, 3, 1, tzinfo=UTC)


def run(*arguments, settings=None, **more):
    """Return the exit code, the output and the errors of the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    if settings is not None:
        more |= {
            "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "BALANCEBUS_SCHEMA_REGISTRY_URL": settings.schema_registry_url,
            "BALANCEBUS_TOPIC_PREFIX": settings.topic_prefix,
        }
    done = subprocess.run(
        [PROGRAM, "replay", *arguments],
        env=kept | more | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


async def told_by(name):
    """Return the bus of a connector that was told some movements."""
    world, rng = World(DIALECTS[name]), random.Random(3)
    async with world.running():
        await world.until_live()
        for _ in range(10):
            world.dialect.move(world.venue, rng)
        await world.until_right()
    return world.bus


@pytest.fixture
def settings(stack):
    """Give settings with topics of one's own."""
    return ServiceSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"t_{uuid.uuid4().hex}",
        topic_partitions=4,
    )


async def publish(settings, records):
    """Put records on the topics, which are made first.

    As of now: the broker deletes at once what is older than its retention.
    """
    await apply_topics(settings)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    records = [replace(record, time_ms=now_ms) for record in records]
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, TOPICS) as producer,
    ):
        await producer.publish(records)


@pytest.mark.integration
async def test_what_was_told_is_made_again(settings):
    """Two accounts, every event equal, exit code 0; one of them on request."""
    records = []
    for name in ("kraken", "bitfinex"):
        bus = await run_apart(name)
        records += bus.records[FRAMES.name] + bus.records[EVENTS.name]
    await publish(settings, records)
    code, out, _ = run(settings=settings)
    assert "equal" in out
    assert 0 == code
    told = {}
    for record in records:
        if record.topic == EVENTS:
            venue = record.key.partition("|")[0]
            told[venue] = told.get(venue, 0) + 1
    code, out, _ = run("--format", "json", settings=settings)
    accounts = json.loads(out)["accounts"]
    assert told == {key.partition("|")[0]: accounts[key]["equal"] for key in accounts}
    one = "--venue", "kraken", "--account", "main", "--format", "json"
    code, out, _ = run(*one, settings=settings)
    assert {"kraken|main"} == json.loads(out)["accounts"].keys()
    code, out, _ = run("--from", "2040-01-01", "--format", "json", settings=settings)
    assert {0} == {each["equal"] for each in json.loads(out)["accounts"].values()}
    assert 1 == code
    code, out, err = run("--account", "mian", settings=settings)
    said = "balancebus: --account: no frames and no events of an account 'mian'"
    assert (2, said) == (code, (out + err).strip())


@pytest.mark.integration
async def test_changed_event_is_shown_field_by_field(settings):
    """Where it lies, what was told and what is made today; exit code 1."""
    bus = await run_apart("kraken")
    events = bus.records[EVENTS.name]
    last = decode(BalanceEvent, frame(1, events[-1].body))
    other = encode_body(replace(last, network="moon"))
    changed = [*events[:-1], replace(events[-1], body=other)]
    await publish(settings, bus.records[FRAMES.name] + changed)
    code, out, _ = run(settings=settings)
    assert 1 == code
    assert "network: told moon, today nothing" in out
    assert f"offset {len(events) - 1}" in out
    assert max(map(len, out.splitlines())) <= 200
    code, out, _ = run("--format", "json", settings=settings)
    (found,) = json.loads(out)["accounts"]["kraken|main"]["differences"]
    assert {"network": {"told": "moon", "today": ""}} == found["fields"]


@pytest.mark.integration
async def test_events_without_frames_are_nobodys_proof(settings):
    """Where nothing can be judged the command does not say that all is well."""
    bus = await run_apart("kraken")
    await publish(settings, bus.records[EVENTS.name])
    code, out, err = run(settings=settings)
    assert 1 == code, out + err
    assert "nothing could be judged" in out


@pytest.mark.integration
async def test_empty_topics_are_nobodys_proof(settings):
    """Where there is nothing to judge nothing is called equal."""
    await publish(settings, [])
    code, out, err = run(settings=settings)
    assert 1 == code, out + err
    assert "nothing could be judged" in out
    code, out, err = run("--venue", "kraken", "--account", "main", settings=settings)
    assert 2 == code, out + err
    assert "no frames and no events of an account 'main' of kraken" in out + err


@pytest.mark.integration
async def test_missing_topics_are_named(settings):
    """One line that says what to do."""
    code, _, err = run(settings=settings)
    assert 1 == code
    assert "balancebus topics apply" in err


async def run_apart(name):
    """Run a virtual world beside the loop that serves the real parts."""
    return await asyncio.to_thread(lambda: run_virtually(told_by(name)))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--venue", "mars"), "balancebus: --venue: unknown venue 'mars': one of"),
        (("--from", "noon"), "balancebus: --from: 'noon' is not a time such as"),
    ],
)
def test_wrong_options_are_one_line(arguments, line):
    """Exit code 2."""
    code, out, err = run(*arguments)
    assert 2 == code
    assert (out + err).startswith(line)


def test_account_is_read_from_its_partition_only():
    """Where venue and account are given, nothing else has to be read."""
    assert range(12) == Asked().partitions(12)
    number = partition_of("kraken|main", 12)
    assert [number] == list(Asked("kraken", "main").partitions(12))


def test_names_are_those_of_keys():
    """Balance keys and account keys alike; other venues are left out."""
    asked = Asked("kraken", "main")
    assert asked.names("kraken|main")
    assert asked.names("kraken|main||spot/main|BTC")
    assert not asked.names("kraken|other||spot/main|BTC")
    assert not Asked().names("toyex|main")
    assert not Asked().names(None)
