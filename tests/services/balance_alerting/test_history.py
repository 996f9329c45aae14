"""A time is read from all topics, in its order, and what is gone is known to be."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from balance_alerting.backtest import AGREED
from balance_alerting.history import Gaps, play_topics
from balance_alerting.rules_text import read_rules
from balance_alerting.service import run
from balance_schemas.keys import account_key
from balance_schemas.topics import EVENTS, PROOFS, RECONCILIATIONS, STATUS
from balance_shared.kafka import Incoming
from balance_shared.kafka.producer import outgoing
from balance_shared.service import Parts
from balance_shared.settings import AlertingSettings

RULES = """
routes: {hook: {type: webhook, url: "%s"}}
data_quality: {for: 0s, keep_firing_for: 0s}
rules:
  - {name: low, type: balance_below, below: 5, keep_firing_for: 0s}
  - {name: off, type: proof_violated, keep_firing_for: 0s}
  - {name: unproven, type: unproven_for, for: 1s, keep_firing_for: 0s}
  - {name: stale, type: stale_for, for: 1s, keep_firing_for: 0s}
  - {name: rest, type: reconciliation_failed, keep_firing_for: 0s}
  - {name: late, type: transit_older_than, older_than: 1s, keep_firing_for: 0s}
"""


def found(offset, seconds, place=("t", 0)):
    """Return a record."""
    return Incoming(*place, offset, "k", b"", seconds * 1000)


@pytest.mark.parametrize(
    ("start", "beginning", "offsets", "since"),
    [
        (0, 0, [0, 1, 2], None),
        (7, 5, [7, 8], None),
        (5, 5, [5, 6], 5),
        (0, 0, [2, 3, 4], 2),
        (0, 0, [0, 1, 4, 5, 9, 10], 9),
        (3, 0, [4, 5], 4),
    ],
)
def test_a_topic_is_whole_since_its_last_gap(start, beginning, offsets, since):
    """Records are numbered without gaps, so a gap is a record that was taken away."""
    gaps = Gaps()
    gaps.begin(("t", 0), start, beginning)
    for offset in offsets:
        gaps.take(PROOFS, found(offset, offset))
    whole = {} if since is None else {PROOFS: datetime.fromtimestamp(since, UTC)}
    assert whole == gaps.whole


def test_the_partition_that_lost_last_decides():
    """Of all partitions of a topic nothing is said before each of them is whole."""
    gaps = Gaps()
    for partition, seconds in ((0, 5), (1, 9), (2, 7)):
        place = "t", partition
        gaps.begin(place, 0, 0)
        gaps.take(STATUS, found(3, seconds, place))
    assert {STATUS: datetime.fromtimestamp(9, UTC)} == gaps.whole


@pytest.fixture
def settings(own_settings, hook, tmp_path):
    """Give settings with a rules file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES % hook.url)
    return own_settings(AlertingSettings, topic_partitions=2, alerting_rules_file=file)


@pytest.fixture
def tell(producer):
    """Give a function that writes a record as connectors and proof do."""

    async def write(topic, one):
        account = account_key(one.venue, one.account)
        now = int(time.time() * 1000)
        await producer.publish([outgoing(topic, account, one, now)])

    return write


@pytest.fixture
async def service(settings, producer):
    """Run alerting."""
    parts = Parts()
    task = asyncio.create_task(run(settings, parts))
    await asyncio.sleep(0)
    async with asyncio.timeout(120):
        while parts.missing():  # noqa: ASYNC110 — parts tell nobody
            await asyncio.sleep(0.05)
    yield task
    await ended(task)


async def ended(task):
    """Stop a service; what it told is noted on the topic then."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.integration
async def test_what_a_living_service_told_is_what_a_backtest_finds(
    make, settings, tell, service, hook
):
    """Every rule fires, is held or ends, and the same comes out of the topics."""

    def now():
        return datetime.now(UTC)

    start = now() - timedelta(seconds=1)
    out = make.moved(2, 4, -1, "withdrawal")
    for topic, record in (
        (STATUS, make.status(0, since=now())),
        (EVENTS, make.event(1, 9)),
        (EVENTS, out),
        (PROOFS, make.proof(3, "VIOLATED")),
        (RECONCILIATIONS, make.compared(4, "inconsistent")),
        (STATUS, make.status(5, "stale")),
    ):
        at = now()
        names = {
            EVENTS: ["received_at"],
            STATUS: ["since"],
            PROOFS: ["checked_at"],
            RECONCILIATIONS: ["requested_at", "answered_at"],
        }[topic]
        given = {
            name: getattr(record, name) for name in record.__struct_fields__
        } | dict.fromkeys(names, at)
        await tell(topic, type(record)(**given))
        # Low has to be told before it is held: topics are read in any order.
        while record is out and ("low", "new") not in hook.rules():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    fired = {"low", "off", "unproven", "stale", "rest", "late", "data-quality"}
    async with asyncio.timeout(120):
        while fired - {rule for rule, _ in hook.rules()}:  # noqa: ASYNC110 — see above
            await asyncio.sleep(0.05)
    await tell(STATUS, make.status(6, since=now()))
    await tell(PROOFS, make.proof(7, checked_at=now()))
    await tell(RECONCILIATIONS, make.compared(8, answered_at=now()))
    await tell(EVENTS, make.event(9, 9, received_at=now()))
    async with asyncio.timeout(120):
        while len([1 for _, kind in hook.rules() if kind == "resolved"]) < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await ended(service)
    rules = read_rules(settings.alerting_rules_file.read_text())
    outcomes, whole = await play_topics(settings, rules, start, now())
    assert {} == whole
    assert {(rule, AGREED) for rule in fired} == {
        (one.rule, one.compared) for one in outcomes
    }
    assert {"late"} == {one.rule for one in outcomes if one.resolved_at is None}
