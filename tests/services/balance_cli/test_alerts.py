"""`balancebus alerts` checks rules and plays them over the events of the bus."""

import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError

from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS
from balance_shared.kafka import Producer, apply_topics
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

PROGRAM = Path(sys.executable).with_name("balancebus")
RIGHT = "rules: [{name: low, type: balance_below, below: 5, keep_firing_for: 0s}]"


def run(*arguments, **environment):
    """Return the exit code, output and errors of the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=kept | {"COLUMNS": "60"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def rules(tmp_path):
    """Give a function that writes rules."""

    def write(text):
        file = tmp_path / "rules.yaml"
        file.write_text(text)
        return str(file)

    return write


def test_right_rules_are_right(rules):
    """Exit code 0, and what was found."""
    code, out, _ = run("alerts", "check", rules(RIGHT))
    assert (0, "1 rules are right; routes: none") == (
        code,
        out.strip().partition(": ")[2],
    )


def test_wrong_rules_are_told_by_line(rules):
    """Exit code 2, a line for each error."""
    file = rules("rules:\n- {name: a, type: negativ}\n- {name: a, type: drop}")
    code, _, errors = run("alerts", "check", file)
    assert 2 == code
    assert [
        f"balancebus: {file}:2: rule a: unknown type 'negativ'; did you mean negative?",
        f"balancebus: {file}:3: rule a: a is the name of the rule in line 2 already",
        f"balancebus: {file}:3: rule a: window is required",
    ] == errors.splitlines()


def test_the_service_refuses_wrong_rules(rules):
    """As it does wrong settings."""
    file = rules("rules: [{name: a}]")
    code, out, _ = run("alerting", BALANCEBUS_ALERTING_RULES_FILE=file)
    assert (2, f"balancebus: {file}:1: rule a: type is required\n") == (code, out)


def test_schema_is_json():
    """For editors."""
    code, out, _ = run("alerts", "schema")
    assert (0, "Ruleset") == (code, json.loads(out)["title"])


@pytest.fixture
async def bus(stack):
    """Give topics with a balance that was low for a minute, an hour ago."""
    settings = ServiceSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"backtest_{uuid.uuid4().hex}",
        topic_partitions=2,
    )
    await apply_topics(settings)
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    names = dict.fromkeys(
        ("subaccount", "nature", "venue_asset", "asset_class", "network"), ""
    )
    events = [
        BalanceEvent(
            **names,
            event_id=f"e{minute}",
            venue="kraken",
            account="main",
            feed="ws",
            wallet="spot",
            wallet_id="main",
            asset="BTC",
            kind="update",
            balance=Decimal(balance),
            balance_scope="wallet",
            received_at=began + timedelta(minutes=minute),
            epoch=1,
        )
        for minute, balance in enumerate(("9", "4.000000000000000001", "9"))
    ]
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, [EVENTS]) as producer,
    ):
        now = int(time.time() * 1000)
        await producer.publish(
            [outgoing(EVENTS, "kraken|main", event, now) for event in events]
        )
    environment = stack.endpoints.environment()
    return began, environment | {"BALANCEBUS_TOPIC_PREFIX": settings.topic_prefix}


@pytest.mark.integration
async def test_backtest_shows_what_would_have_fired(bus, rules):
    """When, for how long and how far, in words and as JSON."""
    began, environment = bus
    since = (began - timedelta(minutes=1)).isoformat()
    asked = ("alerts", "backtest", "--rules", rules(RIGHT), "--from", since)
    code, out, _ = run(*asked, "--format", "json", **environment)
    assert 0 == code
    (found,) = json.loads(out)
    start = datetime.fromisoformat(found["started_at"])
    end = datetime.fromisoformat(found["resolved_at"])
    assert (began + timedelta(minutes=1), timedelta(minutes=1)) == (start, end - start)
    assert ("4.000000000000000001", "did not fire") == (
        found["worst"],
        found["compared"],
    )
    code, out, errors = run(*asked, **environment)
    assert "│ 1m     │ low  │ warning  │ kraken|main||spot/main|BTC │" in out
    assert "" == errors


@pytest.mark.integration
async def test_backtest_says_what_is_gone(bus, rules, stack):
    """By the topic and the time, beside what can still be said."""
    began, environment = bus
    topic = f"{environment['BALANCEBUS_TOPIC_PREFIX']}.events.v1"
    admin = AIOKafkaAdminClient(
        bootstrap_servers=stack.endpoints.kafka_bootstrap_servers
    )
    await admin.start()
    for partition in range(2):
        with suppress(OffsetOutOfRangeError):
            await admin.delete_records(
                {TopicPartition(topic, partition): RecordsToDelete(before_offset=2)}
            )
    await admin.close()
    since = (began - timedelta(minutes=1)).isoformat()
    asked = ("alerts", "backtest", "--rules", rules(RIGHT), "--from", since)
    code, out, errors = run(*asked, "--format", "json", **environment)
    assert (0, []) == (code, json.loads(out))
    assert "balancebus: the events topic begins at " in errors
