"""Records of the other topics become statements; what cannot be held is refused."""

from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balance_schemas.records import Alert, BalanceProof, ConnectorStatus
from balance_schemas.topics import ALERTS, PROOFS, STATUS
from balance_shared.errors import RecordInvalid
from balance_storage import others
from strategies import records

PLACE = ("t", 0, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def alert(**fields):
    """Return an alert with the fields that matter set."""
    defaults = {
        "alert_id": "a",
        "rule": "r",
        "severity": "page",
        "state": "firing",
        "summary": "s",
        "description": "d",
        "started_at": NOW,
        "updated_at": NOW,
    }
    return Alert(**(defaults | fields))


@pytest.mark.parametrize(
    "unfit", [{"summary": "\0"}, {"labels": {"a": "\0"}}, {"alert_id": "x" * 2001}]
)
def test_what_the_database_cannot_hold_is_refused(unfit):
    """A record that would stop every batch is refused before it gets there."""
    with pytest.raises(RecordInvalid):
        others.statements(ALERTS, alert(**unfit), PLACE)


@pytest.mark.integration
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_any_record_is_stored_or_refused(migrated, data):
    """No record of any topic makes the database fail."""
    topic = data.draw(st.sampled_from(list(others.TABLES)))
    record = data.draw(records(topic.record))
    try:
        found = others.statements(topic, record, PLACE)
    except RecordInvalid:
        return
    with psycopg.connect(migrated) as connection:
        for statement, values in found:
            connection.execute(statement, values)
        connection.rollback()


@pytest.mark.integration
def test_last_word_on_a_proof_or_an_alert_replaces_the_one_before(migrated):
    """Each row says how things stand, with every digit."""
    value = Decimal("12345678901234567890.123456789012345678")
    proof = BalanceProof(
        venue="kraken",
        account="main",
        subaccount="",
        wallet="spot",
        wallet_id="main",
        asset="BTC",
        verdict="VIOLATED",
        method="chain",
        reason="",
        residual=value,
        checked_at=NOW,
        last_event_id="e",
    )
    told = [
        (ALERTS, alert(value=value, labels={"a": "b"})),
        (ALERTS, alert(state="resolved", value=value, labels={"a": "c"})),
        (PROOFS, proof),
    ]
    with psycopg.connect(migrated) as connection:
        for topic, record in told:
            for statement, values in others.statements(topic, record, PLACE):
                connection.execute(statement, values)
        alerts = connection.execute(
            "SELECT state, value, labels FROM balancebus.alerts"
        ).fetchall()
        proofs = connection.execute(
            "SELECT balance_key, verdict, residual FROM balancebus.proofs"
        ).fetchall()
        connection.rollback()
    assert [("resolved", value, {"a": "c"})] == alerts
    assert [(proof.key, "VIOLATED", value)] == proofs


def status(state, epoch):
    """Return what a feed says of itself in an epoch; 0: before its first."""
    return ConnectorStatus(
        venue="kraken",
        account="main",
        feed="ws",
        state=state,
        reason="",
        epoch=epoch,
        since=NOW,
        instance="i",
        version="1",
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([("live", 7), ("refused", 0)], ("refused", 0)),
        ([("live", 7), ("connecting", 0), ("live", 8)], ("live", 8)),
        ([("live", 7), ("stopped", 6)], ("live", 7)),
    ],
    ids=["before its first epoch", "and after that", "an older epoch"],
)
def test_state_of_a_feed_is_what_its_last_process_says(migrated, told, expected):
    """A connector that does not get so far as an epoch is not live any more."""
    with psycopg.connect(migrated) as connection:
        for one in told:
            for statement, values in others.statements(STATUS, status(*one), PLACE):
                connection.execute(statement, values)
        found = connection.execute(
            "SELECT state, epoch FROM balancebus.status"
        ).fetchall()
        quality = connection.execute(
            "SELECT state FROM balancebus.account_quality"
        ).fetchall()
        connection.rollback()
    assert ([expected], [(expected[0],)]) == (found, quality)
