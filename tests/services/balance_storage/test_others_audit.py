"""Tables beside events are compared with their topics, and what differs is named."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from msgspec.structs import replace

from balance_schemas.keys import account_key
from balance_schemas.records import (
    Alert,
    BalanceProof,
    ConnectorStatus,
    Difference,
    Reconciliation,
)
from balance_schemas.topics import ALERTS, PROOFS, RECONCILIATIONS, STATUS
from balance_shared.kafka import Producer
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_storage.audit import audit
from balance_storage.verify import Kind

pytestmark = pytest.mark.integration

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
NOON = AT.isoformat()
OF = {"venue": "kraken", "account": "main"}
PROOF = BalanceProof(
    **OF,
    subaccount="",
    wallet="spot",
    wallet_id="main",
    asset="BTC",
    verdict="UNPROVEN",
    method="ledger",
    reason="",
    observed=Decimal("1.000000000000000001"),
    checked_at=AT,
    last_event_id="a",
)
LIVE = ConnectorStatus(
    **OF,
    feed="ws",
    state="live",
    reason="",
    epoch=2,
    since=AT,
    instance="i",
    version="1",
)
DIFFERENCE = Difference(
    subaccount="",
    wallet="spot",
    wallet_id="main",
    asset="BTC",
    streamed=Decimal(1),
    observed=Decimal(2),
    residual=Decimal(1),
    cause="lost",
)
COMPARED = Reconciliation(
    **OF, requested_at=AT, answered_at=AT, verdict="differs", checked=3
)
FIRING = Alert(
    alert_id="stale",
    rule="stale",
    severity="page",
    state="firing",
    labels={"account": "main"},
    summary="s",
    description="d",
    started_at=AT,
    updated_at=AT,
)
TOLD = [
    (PROOFS, PROOF),
    (PROOFS, replace(PROOF, verdict="PROVEN", checked_at=AT + timedelta(minutes=1))),
    (PROOFS, replace(PROOF, asset="ETH", observed=None)),
    (STATUS, LIVE),
    (STATUS, replace(LIVE, state="degraded", reason="row", confirmed_at=AT)),
    (STATUS, replace(LIVE, epoch=1, state="stopped")),
    (STATUS, replace(LIVE, feed="rest")),
    (RECONCILIATIONS, replace(COMPARED, differences=(DIFFERENCE, DIFFERENCE))),
    (RECONCILIATIONS, COMPARED),
    (ALERTS, FIRING),
    (ALERTS, replace(FIRING, state="resolved", resolved_at=AT)),
]


async def publish(settings, told):
    """Write records as the services would."""
    now = int(time.time() * 1000)
    topics = [STATUS, RECONCILIATIONS, PROOFS, ALERTS]
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, topics) as producer,
    ):
        for topic, record in told:
            owner = account_key("kraken", "main")
            await producer.publish([outgoing(topic, owner, record, now)])


@pytest.fixture
async def books(bus):
    """Give stored tables that agree with their topics."""
    await publish(bus.settings, TOLD)
    async with bus.instance():
        await bus.until_taken(len(TOLD))
    return bus


async def found(bus):
    """Return the kinds and places of what is found."""
    report = await audit(bus.settings, lambda *_: None)
    return {(one.kind, one.where) for one in report.findings}


KEY = "kraken|main||spot/main|"


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("SELECT", set()),
        (
            "UPDATE balancebus.proofs SET verdict = 'PROVEN', observed = 7",
            {
                (Kind.OTHER, f"proofs {KEY}BTC: observed"),
                (Kind.OTHER, f"proofs {KEY}ETH: verdict, observed"),
            },
        ),
        (
            "UPDATE balancebus.proofs SET observed = observed + 0.000000000000000001",
            {(Kind.OTHER, f"proofs {KEY}BTC: observed")},
        ),
        (
            "DELETE FROM balancebus.proofs WHERE asset = 'ETH'",
            {(Kind.NOT_STORED, f"proofs {KEY}ETH")},
        ),
        (
            "UPDATE balancebus.proofs SET balance_key = 'x' WHERE asset = 'ETH'",
            {
                (Kind.NOT_STORED, f"proofs {KEY}ETH"),
                (Kind.ADDED, "proofs x: the topic tells none"),
            },
        ),
        (
            "UPDATE balancebus.status SET reason = 'fine' WHERE feed = 'rest'",
            {(Kind.OTHER, "status kraken main rest: reason")},
        ),
        (
            "UPDATE balancebus.status SET state = 'live', epoch = 9 WHERE feed = 'ws'",
            {(Kind.CHANGED, "status ws: status_changes has no such state")},
        ),
        (
            "DELETE FROM balancebus.status_changes WHERE state = 'stopped'",
            {
                (
                    Kind.NOT_STORED,
                    f"status_changes kraken main ws 1 {NOON} stopped",
                )
            },
        ),
        (
            "UPDATE balancebus.reconciliations SET verdict = 'equal'",
            {
                (
                    Kind.OTHER,
                    f"reconciliations kraken main {NOON}: verdict",
                )
            },
        ),
        (
            "UPDATE balancebus.reconciliation_differences SET residual = 0 WHERE line = 1",
            {
                (
                    Kind.OTHER,
                    f"reconciliation_differences kraken main {NOON} 1: residual",
                )
            },
        ),
        (
            "UPDATE balancebus.alerts SET state = 'firing', labels = '{}'",
            {(Kind.OTHER, "alerts stale: state, labels")},
        ),
    ],
)
async def test_what_the_topics_do_not_tell_is_found_and_named(books, damage, expected):
    """A verdict, a figure, a state: nothing that people see is changed unseen."""
    with psycopg.connect(books.settings.postgres_dsn.get_secret_value()) as connection:
        connection.execute(damage)
    assert expected == await found(books)


async def test_what_is_not_stored_yet_is_not_compared(books):
    """Compaction may have left nothing of what is stored."""
    later = AT + timedelta(hours=1)
    await publish(
        books.settings,
        [
            (PROOFS, replace(PROOF, verdict="VIOLATED", checked_at=later)),
            (PROOFS, replace(PROOF, asset="SOL")),
            (STATUS, replace(LIVE, epoch=3)),
            (RECONCILIATIONS, replace(COMPARED, requested_at=later)),
        ],
    )
    assert set() == await found(books)
