"""`balancebus proof status|ack|transit` on the real bus."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from balance_schemas.keys import account_key
from balance_schemas.records import (
    Acknowledgement,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Movement,
)
from balance_schemas.topics import ACKNOWLEDGEMENTS, EVENTS, PROOFS, STATUS
from balance_shared.kafka import Producer, Reader, apply_topics, decoded
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

PROGRAM = Path(sys.executable).with_name("balancebus")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "kraken|main||spot/main|BTC"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settings(stack):
    """Give topics with two accounts, one of which is violated."""
    settings = ServiceSettings(
        kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        schema_registry_url=stack.endpoints.schema_registry_url,
        topic_prefix=f"cli_proof_{uuid.uuid4().hex}",
        topic_partitions=2,
    )
    asyncio.run(tell(settings))
    return settings


async def tell(settings):
    """Publish what a firm of two accounts says."""
    await apply_topics(settings)
    told = [
        (STATUS, status("kraken")),
        (STATUS, status("ndax")),
        (PROOFS, proof("ndax", "ETH", proven_through=NOON)),
        (PROOFS, proof("kraken", "ETH")),
        (PROOFS, proof("gone", "ETH", verdict="UNPROVEN", proven_through=None)),
        (
            PROOFS,
            proof(
                "kraken",
                "BTC",
                verdict="VIOLATED",
                reason="nothing explains it",
                expected=Decimal(1),
                observed=Decimal("1.000000000000000001"),
                residual=Decimal("1e-18"),
                proven_through=NOON - timedelta(hours=1),
            ),
        ),
        (EVENTS, withdrawal()),
    ]
    async with (
        Registry(settings.schema_registry_url) as registry,
        Producer(settings, registry, [EVENTS, PROOFS, STATUS]) as producer,
    ):
        now_ms = int(time.time() * 1000)
        for topic, record in told:
            key = account_key(record.venue, record.account)
            await producer.publish([outgoing(topic, key, record, now_ms)])


def status(venue):
    """Return a live state."""
    return ConnectorStatus(
        venue=venue,
        account="main",
        feed="ws",
        state="live",
        reason="",
        epoch=1,
        since=NOON,
        instance="",
        version="",
    )


def proof(venue, asset, **fields):
    """Return a verdict."""
    defaults = {"verdict": "PROVEN", "method": "chain", "reason": ""}
    defaults |= {"proven_through": NOON + timedelta(hours=1), "checked_at": NOON}
    names = {"venue": venue, "account": "main", "subaccount": "", "wallet": "spot"}
    names |= {"wallet_id": "main", "asset": asset, "last_event_id": "e"}
    return BalanceProof(**(names | defaults | fields))


def withdrawal():
    """Return an event that tells of one."""
    line = Movement(movement_id="m", type="withdrawal", change=Decimal("-1.25"))
    return BalanceEvent(
        event_id="out",
        venue="kraken",
        account="main",
        subaccount="",
        feed="ws",
        wallet="spot",
        wallet_id="main",
        nature="asset",
        asset="BTC",
        venue_asset="XXBT",
        asset_class="",
        network="",
        kind="update",
        balance=Decimal(1),
        balance_scope="wallet",
        movements=(line,),
        received_at=datetime.now(UTC),
        epoch=1,
    )


def run(settings, *words):
    """Return the exit code, output and errors of a command of `balancebus proof`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    done = subprocess.run(
        [PROGRAM, "proof", *words],
        env=kept
        | {
            "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "BALANCEBUS_SCHEMA_REGISTRY_URL": settings.schema_registry_url,
            "BALANCEBUS_TOPIC_PREFIX": settings.topic_prefix,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_status_names_who_holds_the_firm_back(settings):
    """The minimum of all accounts, and every figure of what does not add up."""
    code, text, _ = run(settings, "status")
    assert code == 0
    assert "complete and proven up to 2026-03-01 11:00:00 UTC" in text
    assert "1.000000000000000001" in text
    assert "gone" not in text


def test_status_as_json_has_every_field(settings):
    """Amounts as texts, to the last digit."""
    code, text, _ = run(settings, "status", "--format", "json")
    told = json.loads(text)
    assert code == 0
    assert "2026-03-01T11:00:00Z" == told["watermark"]
    assert {"PROVEN": 1, "VIOLATED": 1} == told["accounts"][0]["verdicts"]
    assert [(KEY, "0.000000000000000001")] == [
        (one["key"], one["residual"]) for one in told["not_proven"]
    ]


def test_transit_lists_what_is_on_its_way(settings):
    """For people and for programs."""
    code, text, _ = run(settings, "transit", "--format", "json")
    (leg,) = json.loads(text)
    assert (0, "BTC", "1.25", KEY) == (code, leg["asset"], leg["amount"], leg["key"])
    assert "1.25" in run(settings, "transit")[1]


def test_acknowledgement_is_recorded(settings):
    """Who, why, and up to when, on a topic of its own."""
    code, text, _ = run(settings, "ack", KEY, "--note", "agreed", "--by", "treasury")
    assert (0, True) == (code, "settled 0.000000000000000001 BTC" in text)

    async def read():
        async with (
            Registry(settings.schema_registry_url) as registry,
            Reader(settings, [ACKNOWLEDGEMENTS]) as reader,
        ):
            places = reader.places(ACKNOWLEDGEMENTS)
            starts, ends = await reader.beginnings(places), await reader.ends(places)
            return [
                await decoded(registry, Acknowledgement, one)
                async for batch in reader.read(starts, ends)
                for one in batch
            ]

    (found,) = asyncio.run(read())
    assert (KEY, "treasury", "agreed", NOON) == (
        found.key,
        found.by,
        found.note,
        found.through,
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("kraken|main||spot/main|BTX", "did you mean kraken|main||spot/main|BTC?"),
        ("ndax|main||spot/main|ETH", "is PROVEN: there is nothing to settle"),
        ("x", "no verdict on 'x'"),
    ],
)
def test_only_violations_can_be_acknowledged(settings, key, said):
    """One line says what was found."""
    code, text, _ = run(settings, "ack", key, "--note", "agreed")
    assert (2, True) == (code, said in text)


def test_kafka_that_does_not_answer_is_one_line():
    """What clients log while they try again is no part of the answer."""
    hasty = "from balance_cli import proof; proof.PATIENCE_S = 2; proof.app(['status'])"
    done = subprocess.run(
        [sys.executable, "-c", hasty],
        env=os.environ | {"BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert 1 == done.returncode
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("balancebus: Kafka at 127.0.0.1:1 does not answer")
