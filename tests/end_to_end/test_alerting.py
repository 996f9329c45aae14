"""A withdrawal reaches a real Alertmanager, whoever is killed or away meanwhile."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from pages import Page
from processes import Service, Venue, ended, post, until

sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "balance_alerting"))

from alertmanager import PROGRAM, REQUIRED, Alertmanager

pytestmark = [pytest.mark.end_to_end, pytest.mark.integration]

RULES = """
routes:
  am: {{type: alertmanager, url: "{alertmanager}", resend: 2s}}
  hook: {{type: webhook, url: "{hook}"}}
rules:
  - {{name: out, type: withdrawal, keep_firing_for: 1h}}
  - {{name: much, type: balance_above, above: 1, match: {{asset: [BTC, ETH]}}}}
"""


@pytest.fixture
def receivers():
    """Give what Alertmanager tells and what we tell."""
    found = Page(), Page()
    yield found
    for one in found:
        one.stop()


@pytest.fixture
def alertmanager(tmp_path, receivers):
    """Give a real Alertmanager that runs."""
    if PROGRAM is None and not REQUIRED:
        pytest.skip(
            "no Alertmanager: install the Debian package prometheus-alertmanager"
        )
    assert PROGRAM is not None, "ALERTMANAGER_REQUIRED is set, and none is installed"
    found = Alertmanager(tmp_path, receivers[0].url)
    found.start()
    yield found
    found.kill()


@pytest.fixture
def environment(stack, tmp_path, alertmanager, receivers):
    """Give the environment of services, with topics and rules of one's own."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.format(alertmanager=alertmanager.url, hook=receivers[1].url))
    found = stack.endpoints.environment() | {
        "BALANCEBUS_TOPIC_PREFIX": f"e2e_{uuid.uuid4().hex}",
        "BALANCEBUS_ALERTING_RULES_FILE": str(rules),
        "BALANCEBUS_ACCOUNT": "main",
    }
    subprocess.run(
        [sys.executable, "-m", "balance_cli", "topics", "apply"],
        env=os.environ | found,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return found


def withdraw(venue, asset, amount):
    """Have the stand-in venue tell of a withdrawal."""
    post(
        f"{venue.control}/operation",
        {"operation": "withdrawal", "asset": asset, "amount": amount},
    )


def test_nothing_is_lost_or_told_twice(environment, tmp_path, alertmanager, receivers):
    """Alertmanager is away, alerting is killed twice meanwhile, then all are back."""
    venue = Venue(tmp_path / "venue.log")
    connector = Service(
        tmp_path / "connector.log",
        environment | venue.environment,
        "connector",
        "kraken",
    )
    service = Service(tmp_path / "alerting.log", environment, "alerting")
    with ended(venue, connector, service):
        until(connector.ready, "the connector", 60)
        until(service.ready, "alerting", 60)
        withdraw(venue, "BTC", "0.01")
        until(lambda: "out" in alertmanager.names(), "the first withdrawal")
        alertmanager.kill()
        withdraw(venue, "ETH", "0.02")
        until(
            lambda: service.metric(
                "balancebus_notifications_total", route="am", outcome="failed"
            ),
            "a failure",
        )
        service.kill()
        withdraw(venue, "USD", "0.03")
        service.start()
        until(
            lambda: _told(receivers[1], "USD"), "the webhook, by the second process", 60
        )
        service.kill()
        alertmanager.start()
        service.start()
        wanted = {("out", "BTC"), ("out", "ETH"), ("out", "USD")}
        until(lambda: wanted <= _held(alertmanager), "all at Alertmanager", 90)
        until(service.ready, "no route that fails", 60)
    new = [one for one in receivers[1].bodies if one["kind"] == "new"]
    assert len({one["alert_id"] for one in new}) == len({one["id"] for one in new})
    assert wanted <= {(one["rule"], one["labels"]["asset"]) for one in new}
    firsts = [
        alert["labels"]["asset"]
        for one in receivers[0].bodies
        for alert in one["alerts"]
        if alert["labels"]["alertname"] == "out"
    ]
    assert {"BTC", "ETH", "USD"} == set(firsts)
    assert all(one["status"] == "firing" for one in receivers[0].bodies)


def _told(receiver, asset):
    return any(one["labels"].get("asset") == asset for one in receiver.bodies)


def _held(alertmanager):
    return {
        (one["labels"]["alertname"], one["labels"].get("asset"))
        for one in alertmanager.alerts()
    }
