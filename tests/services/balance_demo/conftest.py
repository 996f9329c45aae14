"""Records as the demo reads them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from balance_demo.board import VenueView
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    DeadLetter,
    Reconciliation,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """Return a time after noon."""
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def at():
    """Give times: seconds after noon."""
    return later


@pytest.fixture
def event():
    """Give a maker of events."""

    def make(balance: str, *, asset="BTC", kind="update", seconds=0.0, epoch=1, **more):
        values = {
            "event_id": f"{asset}-{epoch}-{seconds}",
            "venue": "kraken",
            "account": "demo",
            "subaccount": "",
            "feed": "ws",
            "wallet": "spot",
            "wallet_id": "main",
            "nature": "asset",
            "asset": asset,
            "venue_asset": asset,
            "asset_class": "currency",
            "network": "",
            "kind": kind,
            "balance": Decimal(balance),
            "balance_scope": "wallet",
            "received_at": later(seconds),
            "epoch": epoch,
        }
        return BalanceEvent(**(values | more))

    return make


@pytest.fixture
def status():
    """Give a maker of statuses."""

    def make(state: str, seconds: float = 0.0, **more):
        values = {
            "venue": "kraken",
            "account": "demo",
            "feed": "ws",
            "state": state,
            "reason": "",
            "epoch": 1,
            "since": later(seconds),
            "instance": "here",
            "version": "1",
        }
        return ConnectorStatus(**(values | more))

    return make


@pytest.fixture
def proof():
    """Give a maker of verdicts on a balance."""

    def make(verdict: str, *, asset="BTC", venue="kraken", through=None, reason=""):
        return BalanceProof(
            venue=venue,
            account="demo",
            subaccount="",
            wallet="spot",
            wallet_id="main",
            asset=asset,
            verdict=verdict,
            method="chain",
            reason=reason,
            proven_through=None if through is None else later(through),
            checked_at=NOON,
            last_event_id="e",
        )

    return make


@pytest.fixture
def reconciliation():
    """Give a maker of comparisons of stream and REST."""

    def make(verdict: str):
        return Reconciliation(
            venue="kraken",
            account="demo",
            requested_at=NOON,
            answered_at=NOON,
            verdict=verdict,
            checked=1,
        )

    return make


@pytest.fixture
def dead_letter():
    """Give a frame that could not be read."""
    return DeadLetter(
        venue="kraken",
        account="demo",
        service="connector",
        reason="frame_invalid",
        error="no JSON",
        received_at=NOON,
        payload=b"{",
        payload_size=1,
    )


@pytest.fixture
def view(status):
    """Give a maker of venues that are live."""

    def make(name: str, **more):
        return VenueView(name, status=status("live", venue=name), **more)

    return make
