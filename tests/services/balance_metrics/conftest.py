"""Records of one account, and the values that the process shows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import REGISTRY

from balance_metrics.state import Series
from balance_schemas.records import BalanceEvent, BalanceProof, ConnectorStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a time, in seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def build_event(**fields: Any) -> BalanceEvent:
    """Return a picture's row of one Kraken wallet, received at noon."""
    defaults: dict[str, Any] = {
        "event_id": "e",
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "feed": "ws",
        "wallet": "spot",
        "wallet_id": "main",
        "nature": "asset",
        "asset": "BTC",
        "venue_asset": "XXBT",
        "asset_class": "currency",
        "network": "",
        "kind": "snapshot",
        "balance": Decimal("1.5"),
        "balance_scope": "wallet",
        "received_at": NOON,
        "epoch": 1,
    }
    return BalanceEvent(**(defaults | fields))


def build_status(**fields: Any) -> ConnectorStatus:
    """Return the status of a live stream, confirmed at noon."""
    defaults: dict[str, Any] = {
        "venue": "kraken",
        "account": "main",
        "feed": "ws",
        "state": "live",
        "reason": "",
        "epoch": 1,
        "since": NOON,
        "confirmed_at": NOON,
        "instance": "here-1",
        "version": "0",
    }
    return ConnectorStatus(**(defaults | fields))


def build_proof(**fields: Any) -> BalanceProof:
    """Return the proof of the default event's balance, proven at noon."""
    defaults: dict[str, Any] = {
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "wallet": "spot",
        "wallet_id": "main",
        "asset": "BTC",
        "verdict": "PROVEN",
        "method": "chain",
        "reason": "",
        "proven_through": NOON,
        "checked_at": NOON,
        "last_event_id": "e",
    }
    return BalanceProof(**(defaults | fields))


class Make:
    """Builders for tests."""

    at = staticmethod(at)
    event = staticmethod(build_event)
    status = staticmethod(build_status)
    proof = staticmethod(build_proof)

    @staticmethod
    def series(**labels: str) -> Series:
        """Return the series of the default event, with other labels."""
        return Series("kraken", "main", "", "spot", "BTC")._replace(**labels)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    """Give the builders."""
    return Make


@pytest.fixture
def shown():
    """Give what the process exports: (name without prefix, labels) → value or None."""

    def value(name: str, **labels: str) -> float | None:
        whole = Make.series()._asdict() | labels
        return REGISTRY.get_sample_value(f"balancebus_{name}", whole)

    return value
