"""What routes are given: every digit, and a signature over it."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from balance_alerting.notices import (
    alertmanager_body,
    notice_of,
    signature,
    webhook_body,
)

RULES = """
routes: {log: {type: log}}
rules:
  - name: low
    type: balance_below
    below: 10
    keep_firing_for: 0s
    labels: {team: treasury}
    annotations: {runbook_url: "http://wiki/${asset}"}
"""


@pytest.fixture
def notices(make, play):
    """Give the notices of an alert's beginning and end."""
    stage = play(RULES)
    found = []
    for event in (make.event(0, "9.000000000000000001"), make.event(60, 11)):
        stage.tell(event)
        (owed,) = stage.engine.alerts.owed("log")
        found.append(notice_of(owed, stage.engine.alerts.rule("low")))
    return found


def test_alertmanager_is_told_what_lasts_and_what_is_over(notices, make):
    """What fires ends far away, so that only we end it."""
    new, over = (
        alertmanager_body(one, make.at(70), timedelta(hours=1)) for one in notices
    )
    labels = {
        "alertname": "low",
        "severity": "warning",
        "venue": "kraken",
        "account": "main",
        "wallet": "spot",
        "wallet_id": "main",
        "asset": "BTC",
        "team": "treasury",
    }
    assert labels == new["labels"] == over["labels"]
    assert "9.000000000000000001" == new["annotations"]["value"]
    assert "http://wiki/BTC" == new["annotations"]["runbook_url"]
    times = [new["startsAt"], new["endsAt"], over["endsAt"]]
    assert [make.at(n).isoformat() for n in (0, 3670, 60)] == times


def test_a_webhook_is_given_all_there_is_or_its_template(notices):
    """Figures are texts: no reader makes a float of them."""
    told = json.loads(webhook_body(notices[0], None))
    kept = (told["kind"], told["value"], told["state"], told["resolved_at"])
    assert ("new", "9.000000000000000001", "firing", None) == kept
    template = {"text": "${kind} ${asset}", "blocks": [{"text": '"${value}"'}]}
    assert {
        "text": "new BTC",
        "blocks": [{"text": '"9.000000000000000001"'}],
    } == json.loads(webhook_body(notices[0], template))


def test_the_signature_covers_time_and_body():
    """As a receiver would make it."""
    wanted = hmac.new(b"key", b"17.{}", hashlib.sha256).hexdigest()
    assert wanted == signature(b"key", "17", b"{}")


def test_each_thing_told_has_an_id_of_its_own(notices):
    """And the same thing told twice has the same."""
    assert 2 == len({one.notice_id for one in notices})
