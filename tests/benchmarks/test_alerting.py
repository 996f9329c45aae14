"""Alerting: what rules cost an event, and how soon a withdrawal is at Alertmanager.

Rates are also ratios to a bare loop that decodes the same records and does nothing.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from processes import Service, Venue, ended, post, until

from balance_alerting.engine import Engine
from balance_alerting.rules_text import read_rules
from balance_schemas.codec import decode, encode
from balance_schemas.records import BalanceEvent, Movement

sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "balance_alerting"))

from alertmanager import PROGRAM, Alertmanager

pytestmark = pytest.mark.benchmark

START = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS_TOLD = 20_000
ROUNDS = 3
WITHDRAWALS = 300


def event(number, asset, balance, at=START, type_="trade"):
    """Return an update with its ledger line."""
    line = Movement(movement_id=f"m{number}", type=type_, change=Decimal(-1))
    return BalanceEvent(
        event_id=f"kraken|main||{number}",
        venue="kraken",
        account="main",
        subaccount="",
        feed="ws",
        wallet="spot",
        wallet_id="main",
        nature="asset",
        asset=asset,
        venue_asset="XXBT",
        asset_class="currency",
        network="",
        kind="update",
        balance=Decimal(balance),
        delta=Decimal(-1),
        balance_scope="wallet",
        movements=(line,),
        venue_time=at,
        received_at=at,
        epoch=1,
    )


def rules(count, assets):
    """Return rules of several types; each is for all balances whose number ends alike."""
    kinds = (
        "type: balance_below, below: -5, clear: -4, for: 1s",
        "type: balance_above, above: 100000000",
        "type: negative",
        "type: drop, percent: 99.9, window: 60s",
        "type: movement_above, above: 1000000",
    )
    lines = [
        f"- {{name: r{n}, {kinds[n % len(kinds)]}, match: {{asset: '{'*' if assets == 1 else f'*{n // 5 % assets}'}'}}}}"
        for n in range(count)
    ]
    return read_rules("rules:\n" + "\n".join(lines))


@pytest.mark.parametrize(
    ("count", "endings", "balances"),
    [(50, 10, 2000), (100, 10, 1000), (50, 1, 200)],
    ids=["5 rules on each of 2000", "10 on each of 1000", "50 on each of 200"],
)
def test_ten_thousand_pairs(count, endings, balances):
    """An event costs its own rules: the rate on one core, decoding included."""
    told = [
        event(
            n,
            f"C{n * 31 % balances}",
            f"{1000 + n % 7}.{n % 1000:018d}",
            START + timedelta(milliseconds=n),
        )
        for n in range(EVENTS_TOLD)
    ]
    values = [encode(one, 1) for one in told]
    ruleset = rules(count, endings)
    pairs = balances * count // endings
    ours, bare = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        for value in values:
            decode(BalanceEvent, value)
        bare.append(EVENTS_TOLD / (time.process_time() - started))
        engine = Engine(ruleset)
        engine.begin(START)
        for value in values[:balances]:
            engine.take_event(decode(BalanceEvent, value))
        started = time.process_time()
        for value in values:
            engine.take_event(decode(BalanceEvent, value))
        ours.append(EVENTS_TOLD / (time.process_time() - started))
    rate, ratio = (
        statistics.median(ours),
        statistics.median(ours) / statistics.median(bare),
    )
    print(f"\n{pairs} pairs: {rate:,.0f} events/s, {ratio:.2f} of decoding alone")

    assert 10_000 == pairs
    assert rate >= 5000


RULES = """
routes: {{am: {{type: alertmanager, url: "{url}"}}}}
rules: [{{name: out, type: withdrawal, keep_firing_for: 1h}}]
"""


def values(url):
    """Return the figures of the alerts that Alertmanager's API has."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        return {one["annotations"].get("value") for one in json.loads(answer.read())}


def test_withdrawal_to_alertmanager(stack, tmp_path):
    """From asking the venue for a withdrawal until Alertmanager's API has it: p50, p99."""
    assert PROGRAM is not None, "no Alertmanager is installed"
    alertmanager = Alertmanager(tmp_path, "http://127.0.0.1:1/")
    alertmanager.start()
    (tmp_path / "rules.yaml").write_text(RULES.format(url=alertmanager.url))
    environment = stack.endpoints.environment() | {
        "BALANCEBUS_TOPIC_PREFIX": f"bench_{uuid.uuid4().hex}",
        "BALANCEBUS_ALERTING_RULES_FILE": str(tmp_path / "rules.yaml"),
        "BALANCEBUS_ACCOUNT": "main",
    }
    topics = [sys.executable, "-m", "balance_cli", "topics", "apply"]
    subprocess.run(
        topics, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL
    )
    venue = Venue(tmp_path / "venue.log")
    connector = Service(
        tmp_path / "connector.log",
        environment | venue.environment,
        "connector",
        "kraken",
    )
    service = Service(tmp_path / "alerting.log", environment, "alerting")
    with ended(venue, connector, service, alertmanager):
        until(connector.ready, "the connector", 60)
        until(service.ready, "alerting", 60)
        delays = sorted(_withdrawals(venue, alertmanager.url))
    p50, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
    print(f"\nwithdrawal to Alertmanager's API: p50 {p50:.3f} s, p99 {p99:.3f} s")

    assert p99 < 2


def _withdrawals(venue, url):
    """Make withdrawals, each of another amount; returns what each took, in seconds."""
    delays = []
    for number in range(1, WITHDRAWALS + 1):
        amount = f"{number}E-8"
        shown = f"{Decimal(amount):f}".rstrip("0")
        started = time.perf_counter()
        post(
            f"{venue.control}/operation",
            {"operation": "withdrawal", "asset": "BTC", "amount": shown},
        )
        while shown not in values(url):
            assert time.perf_counter() - started < 30, f"{shown} is not there"
            time.sleep(0.005)
        delays.append(time.perf_counter() - started)
    return delays
