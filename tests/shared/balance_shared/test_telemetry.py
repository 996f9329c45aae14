"""Metrics are named as the contract says, in base units and with bounded labels."""

import re
import subprocess
import sys

import pytest
from prometheus_client import Counter, Gauge, Histogram

from balance_shared import telemetry

METRICS = {
    name: value
    for name, value in vars(telemetry).items()
    if isinstance(value, Counter | Gauge | Histogram)
}
UNITLESS = re.compile(
    r"_(info|state|verdict|firing"
    r"|frames|records|balance|available|amount|not_exported)$"
)
"""Gauges of 1 and 0, of things counted, and of units of an asset."""

CONTRACT = [
    "build_info",
    "connector_state",
    "last_message_timestamp_seconds",
    "last_event_timestamp_seconds",
    "frames_received",
    "frames_rejected",
    "events_published",
    "reconnects",
    "sequence_gaps",
    "asset_clashes",
    "unmapped_assets",
    "unknown_words",
    "picture_differences",
    "publish_seconds",
    "venue_to_bus_seconds",
    "publish_queue_frames",
    "records_consumed",
    "record_seconds",
    "consumer_lag_records",
    "consumer_lag_seconds",
    "dead_letters",
    "balance",
    "balance_available",
    "balance_changed_timestamp_seconds",
    "balance_confirmed_timestamp_seconds",
    "proof_verdict",
    "proven_through_timestamp_seconds",
    "alerts_firing",
    "notifications",
]
"""Metrics of the services that there are, without prefix and ``_total``."""

LABELS = {
    "venue",
    "account",
    "subaccount",
    "wallet",
    "asset",
    "feed",
    "state",
    "kind",
    "reason",
    "service",
    "version",
    "topic",
    "partition",
    "verdict",
    "rule",
    "severity",
    "route",
    "outcome",
}
"""What may tell series apart: sets that do not grow with traffic."""


def test_metrics_of_the_contract_are_there():
    """Dashboards and rules rely on the names."""
    found = {metric._name.removeprefix("balancebus_") for metric in METRICS.values()}
    assert set(CONTRACT) <= found


@pytest.mark.parametrize("name", METRICS)
def test_metric_is_well_named(name):
    """Prefix, base unit and labels are as in the contract, and help is a sentence."""
    metric = METRICS[name]
    assert re.fullmatch(r"balancebus_[a-z]+(_[a-z]+)*", metric._name)
    assert set(metric._labelnames) <= LABELS
    assert metric._documentation.endswith(".")
    if isinstance(metric, Histogram):
        assert metric._name.endswith("_seconds")
    elif isinstance(metric, Gauge):
        assert metric._name.endswith("_seconds") or UNITLESS.search(metric._name)
    assert not re.search(r"milli|micro|_(ms|us|age)(_|$)", metric._name)


NOTHING_KNOWN = """
from prometheus_client import generate_latest
from balance_shared import telemetry

def shown():
    lines = generate_latest().decode().splitlines()
    return [line for line in lines if line.startswith("balancebus_")]

print(shown())
telemetry.PROVEN_WATERMARK.set(0)
telemetry.PROVEN_WATERMARK.set(7)
print(shown())
"""


def test_service_shows_nothing_that_it_does_not_know():
    """A sample of 0 from one that was never told would pass for a figure."""
    done = subprocess.run(
        [sys.executable, "-c", NOTHING_KNOWN],
        capture_output=True,
        text=True,
        check=True,
    )
    told = ["balancebus_proven_watermark_timestamp_seconds 7.0"]
    assert ["[]", str(told)] == done.stdout.splitlines()
