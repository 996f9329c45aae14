"""Alerting on the real bus: what is told, what is kept, and what a restart changes."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from balance_alerting.service import run
from balance_schemas.codec import decode, schema_id_of
from balance_schemas.keys import account_key
from balance_schemas.records import Alert
from balance_schemas.topics import ALERTS, EVENTS, LATEST, STATUS
from balance_shared import telemetry
from balance_shared.kafka import Outgoing, Reader
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import AlertingSettings

pytestmark = pytest.mark.integration

RULES = """
routes:
  hook: {{type: webhook, url: "{url}"}}
rules:
  - {{name: low, type: balance_below, below: 10, keep_firing_for: 0s}}
  - {{name: out, type: withdrawal}}
"""


async def until(met, seconds=180):
    """Wait until a condition is met, and return what met it."""
    async with asyncio.timeout(seconds):
        while not (found := met()):  # noqa: ASYNC110 — the webhook tells nobody
            await asyncio.sleep(0.05)
    return found


@pytest.fixture
def settings(own_settings, hook, tmp_path):
    """Give settings with a rules file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(url=hook.url))
    return own_settings(AlertingSettings, topic_partitions=3, alerting_rules_file=file)


@pytest.fixture
def publish(producer):
    """Give a function that writes records as connectors do."""

    async def write(topic, *records):
        now = int(time.time() * 1000)
        await producer.publish(
            [
                outgoing(topic, account_key(one.venue, one.account), one, now)
                for one in records
            ]
        )

    return write


@pytest.fixture
async def start(settings):
    """Give a function that starts the service and waits until it is ready."""
    tasks = []

    async def start_and_wait():
        parts = Parts()
        task = asyncio.create_task(run(settings, parts))
        tasks.append(task)
        await asyncio.sleep(0)
        await until(lambda: not parts.missing())
        return parts, task

    yield start_and_wait
    for task in tasks:
        await ended(task)


async def ended(task):
    """Stop a service."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def now():
    """Return the time, as connectors put it on events."""
    return datetime.now(UTC)


async def test_a_balance_that_is_low_is_told_and_its_end(make, start, publish, hook):
    """From the events topic to the webhook and back to the alerts topic."""
    await start()
    await publish(STATUS, make.status(0, since=now()))
    await publish(EVENTS, make.event(1, "9.000000000000000001", received_at=now()))
    await until(lambda: len(hook.got) == 1)
    await publish(EVENTS, make.event(2, 12, received_at=now()))
    await until(lambda: len(hook.got) == 2)
    told = [(one["kind"], one["value"], one["worst"]) for one in hook.got]
    low = "9.000000000000000001"
    assert [("new", low, low), ("resolved", "12", low)] == told
    summary = hook.got[1]["annotations"]["summary"]
    assert summary.endswith("farthest 9.000000000000000001, limit 10")


async def test_a_restart_tells_nothing_twice_and_loses_nothing(
    make, start, publish, hook
):
    """What came while nobody looked is told, what was told is not."""
    _, first = await start()
    await publish(EVENTS, make.event(1, 5, received_at=now()))
    await until(lambda: hook.rules() == [("low", "new")])
    await ended(first)
    out = make.moved(2, 4, -1, "withdrawal", received_at=now())
    await publish(EVENTS, out, make.event(3, 50, received_at=now()))
    await start()
    await until(lambda: len(hook.got) == 3)
    await asyncio.sleep(1)
    told = [("low", "new"), ("low", "resolved"), ("out", "new")]
    assert told == sorted(hook.rules())
    resolved = next(one for one in hook.got if one["kind"] == "resolved")
    assert "4" == resolved["worst"]


async def test_what_was_not_taken_is_told_by_the_next_process(
    make, start, publish, hook
):
    """The webhook is out of order, and the process ends meanwhile."""
    hook.status = 500
    _, first = await start()
    await publish(EVENTS, make.event(1, 5, received_at=now()))
    await until(lambda: hook.asked >= 2)
    await ended(first)
    hook.status = 200
    await start()
    await until(lambda: hook.got)
    await asyncio.sleep(1)
    assert [("low", "new")] == hook.rules()


async def test_history_is_not_told_at_the_first_start(make, start, publish, hook):
    """Withdrawals of last week are no news; a balance that is low still is low."""
    low = make.moved(1, 5, -1, "withdrawal", received_at=now() - timedelta(hours=1))
    await publish(EVENTS, low)
    await publish(LATEST, low)
    await start()
    await until(lambda: hook.got)
    await asyncio.sleep(1)
    assert [("low", "new")] == hook.rules()


async def test_rules_are_read_again_and_wrong_ones_refused(
    make, settings, start, publish, hook
):
    """The old ones go on, and /readyz says so; then the new ones are used."""
    parts, _ = await start()
    file = settings.alerting_rules_file
    right = file.read_text()
    file.write_text(right.replace("below: 10", "below: ten"))
    await until(lambda: "rules" in parts.missing())
    assert (
        "rules.yaml:5: rule low: below: should be a plain number"
        in (parts.missing()["rules"])
    )
    await publish(EVENTS, make.event(1, 5, received_at=now()))
    await until(lambda: hook.rules() == [("low", "new")])
    file.write_text(right.replace("below: 10", "below: 3"))
    await until(lambda: hook.rules() == [("low", "new"), ("low", "resolved")])
    await until(lambda: not parts.missing())


async def test_records_that_cannot_be_read_are_counted(
    settings, make, start, producer, publish, hook
):
    """They say nothing, and stop nobody."""
    await start()
    account = account_key("kraken", "main")
    bad = Outgoing(EVENTS, account, "k", b"\xff", int(time.time() * 1000))
    await producer.publish([bad])
    await publish(EVENTS, make.event(1, 5, received_at=now()))
    await until(lambda: hook.got)
    rejected = telemetry.RECORDS_REJECTED.labels(
        "alerting", EVENTS.full_name(settings.topic_prefix)
    )
    assert rejected._value.get() == 1


async def test_two_instances_share_the_work(make, settings, start, publish, hook):
    """Each account is told of once, also after one of them has ended."""
    await start()
    _, second = await start()
    accounts = [f"a{n}" for n in range(6)]
    await publish(
        EVENTS, *(make.event(1, 5, account=one, received_at=now()) for one in accounts)
    )
    await until(lambda: len(hook.got) >= 6)
    await asyncio.sleep(1)
    await ended(second)
    await publish(
        EVENTS, *(make.event(9, 50, account=one, received_at=now()) for one in accounts)
    )
    await until(lambda: len(hook.got) >= 12)
    await asyncio.sleep(1)
    told = sorted((one["kind"], one["labels"]["account"]) for one in hook.got)
    wanted = [(kind, one) for kind in ("new", "resolved") for one in accounts]
    assert wanted == told


async def test_alerts_are_on_their_topic(settings, make, start, publish, hook):
    """With who was told."""
    await start()
    await publish(EVENTS, make.event(1, 5, received_at=now()))
    await until(lambda: hook.got)
    async with Registry(settings.schema_registry_url) as registry:

        async def found():
            async with Reader(settings, [ALERTS]) as reader:
                places = reader.places(ALERTS)
                starts, ends = (
                    await reader.beginnings(places),
                    await reader.ends(places),
                )
                return [
                    await decoded(registry, one)
                    async for batch in reader.read(starts, ends)
                    for one in batch
                ]

        async def decoded(registry, incoming):
            schema = await registry.schema(schema_id_of(incoming.value))
            return decode(Alert, incoming.value, schema)

        async with asyncio.timeout(120):
            while (await found())[-1].attributes["told.hook"] != "1":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        last = (await found())[-1]
    assert ("low|kraken|main||spot/main|BTC", "firing") == (last.alert_id, last.state)


async def test_what_does_not_arrive_is_told(make, settings, start, publish, hook):
    """Of any partition, and its end once it is there; through a restart."""
    file = settings.alerting_rules_file
    rule = "  - {name: late, type: transit_older_than, older_than: 1s, keep_firing_for: 0s}\n"
    file.write_text(file.read_text() + rule)
    _, first = await start()
    gone = make.moved(1, 50, -7, "withdrawal", received_at=now())
    await publish(EVENTS, gone)
    await until(lambda: ("late", "new") in hook.rules())
    await ended(first)
    await start()
    names = {"venue": "bitfinex", "received_at": now()}
    await publish(EVENTS, make.moved(2, 60, 7, "deposit", **names))
    await until(lambda: ("late", "resolved") in hook.rules())
    assert [("late", "new"), ("late", "resolved"), ("out", "new")] == sorted(
        hook.rules()
    )
