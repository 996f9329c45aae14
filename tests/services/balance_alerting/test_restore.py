"""An engine made from the topics goes on where the last one ended."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from balance_alerting.memory import Episode
from balance_alerting.restore import READ, Restorer, lookback, time_of
from balance_alerting.rules_text import read_rules
from balance_alerting.selectors import Subject
from balance_schemas.topics import ALERTS, EVENTS, LATEST, STATUS
from balance_shared.kafka import Consumer, Reader
from balance_shared.kafka.producer import outgoing

ACCOUNT = "kraken|main"
RULES = read_rules(
    "rules: [{name: low, type: balance_below, below: 10, for: 10m}, "
    "{name: fall, type: drop, percent: 50, window: 1h}]"
)


@pytest.mark.parametrize(
    ("rules", "minutes"),
    [
        ("[]", 1),
        ("[{name: a, type: negative, for: 5m}]", 5),
        ("[{name: a, type: negative, keep_firing_for: 7m}]", 7),
        ("[{name: a, type: drop, percent: 1, window: 2h}]", 120),
    ],
)
def test_the_longest_time_of_any_rule_is_read_again(rules, minutes):
    """Waits, windows and what is kept firing."""
    assert timedelta(minutes=minutes) == lookback(read_rules(f"rules: {rules}"))


def test_times_of_records_are_in_utc(make):
    """To the millisecond."""
    assert make.at(0.5) == time_of(SimpleNamespace(time_ms=1772366400500))


@pytest.fixture
def settings(own_settings):
    """Give settings of one partition."""
    return own_settings(topic_partitions=1)


@pytest.mark.integration
async def test_what_was_before_the_position_is_taken_note_of(
    settings, registry, producer, make
):
    """Old figures from latest, times from events, alerts from their topic."""
    now = datetime.now(UTC).replace(microsecond=0)
    minutes = [now - timedelta(minutes=n) for n in (600, 20, 5, 1)]
    old = make.event(0, 5, asset="OLD", received_at=minutes[0])
    low = make.event(1, 5, asset="LOW", received_at=minutes[1])
    recent = make.event(2, 5, asset="NEW", received_at=minutes[2])
    later = make.event(3, 5, asset="LATER", received_at=minutes[3])
    subject = Subject("kraken", "main", "", "spot", "main", "OLD")
    before = Episode(
        f"low|{subject.key}",
        "low",
        "warning",
        subject,
        {},
        "firing",
        minutes[0],
        minutes[0],
        notice=1,
    )

    def record(topic, value, at):
        return outgoing(topic, ACCOUNT, value, int(at.timestamp() * 1000))

    group = f"{settings.topic_prefix}.g"
    async with Consumer(settings, registry, [EVENTS], group=group) as consumer:
        told = [old, low, recent, later]
        await producer.publish(
            [record(EVENTS, one, at) for one, at in zip(told, minutes, strict=True)]
            + [record(LATEST, one, at) for one, at in zip(told, minutes, strict=True)]
            + [record(ALERTS, before.record(), minutes[0])]
            + [record(STATUS, make.status(0, since=minutes[2]), minutes[2])]
        )
        async for _ in consumer.batches():
            break
        place = (EVENTS.full_name(settings.topic_prefix), 0)
        await consumer.commit({place: 3})
        restorer = Restorer(settings.topic_prefix, RULES, registry, consumer, now)
        async with Reader(settings, READ) as reader:
            restored = await restorer.run(reader, [0])
    engine = restored.engines[0]
    found = {one.subject.asset: one.started_at for one in engine.alerts.lasting()}
    assert {"OLD": minutes[0], "LOW": minutes[1] + timedelta(minutes=10)} == found
    assert minutes[2] == engine.now
    assert (3, 1) == (
        restored.positions[place],
        restored.positions[STATUS.full_name(settings.topic_prefix), 0],
    )
