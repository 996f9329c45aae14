"""Builders of one account's records, in seconds after noon."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from balance_proof.ledger import time_of_epoch
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Difference,
    Reconciliation,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNITS = 10**18


def at(seconds: float) -> datetime:
    """Return a time, in seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    """Return the same as a record's timestamp."""
    return int(at(seconds).timestamp() * 1000)


def epoch(seconds: float) -> int:
    """Return an epoch that begins some seconds after noon."""
    return int((at(seconds) - time_of_epoch(0)) / timedelta(microseconds=1))


class Make:
    """Builders; times are seconds after noon."""

    at = staticmethod(at)
    ms = staticmethod(ms)
    epoch = staticmethod(epoch)

    def __init__(self) -> None:
        self._number = 0

    def event(self, kind: str, balance: str, seconds: float, **fields: Any):
        """Return an event of the BTC wallet, of the epoch that began at noon."""
        self._number += 1
        defaults: dict[str, Any] = {
            "event_id": f"e{self._number}",
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
            "balance_scope": "wallet",
            "received_at": at(seconds),
            "venue_time": at(seconds),
            "epoch": epoch(0),
        }
        return BalanceEvent(kind=kind, balance=Decimal(balance), **(defaults | fields))

    def row(self, balance: str, seconds: float, **fields: Any):
        """Return the only row of a picture, whose epoch began a second before."""
        fields = {"epoch": epoch(seconds - 1), "kind": "snapshot"} | fields
        name = f"picture {fields['epoch']}"
        place = {"snapshot_id": name, "snapshot_index": 0, "snapshot_size": 1}
        kind = fields.pop("kind")
        return self.event(kind, balance, seconds, **(place | fields))

    def update(self, balance: str, delta: str | None, seconds: float, **fields: Any):
        """Return an update."""
        change = None if delta is None else Decimal(delta)
        return self.event("update", balance, seconds, delta=change, **fields)

    def line(self, delta: str, seconds: float, told: float, **fields: Any):
        """Return a line of the history, told some time later."""
        fields = {"received_at": at(told), "feed": "rest"} | fields
        return self.event("backfill", "0", seconds, delta=Decimal(delta), **fields)

    def status(self, seconds: float, last_event: float | None, **fields: Any):
        """Return a state of the live stream: (status, timestamp)."""
        defaults: dict[str, Any] = {
            "venue": "kraken",
            "account": "main",
            "feed": "ws",
            "state": "live",
            "reason": "",
            "epoch": epoch(0),
            "since": NOON,
            "instance": "here",
            "version": "0",
            "last_event_at": None if last_event is None else at(last_event),
        }
        return ConnectorStatus(**(defaults | fields)), ms(seconds)

    def comparison(self, asked: float, verdict: str = "consistent", **fields: Any):
        """Return a comparison, published two and a half seconds later."""
        defaults: dict[str, Any] = {
            "venue": "kraken",
            "account": "main",
            "requested_at": at(asked),
            "answered_at": at(asked + 0.5),
            "verdict": verdict,
            "checked": 1,
        }
        return Reconciliation(**(defaults | fields)), ms(asked + 2.5)

    @staticmethod
    def difference(streamed: str, observed: str, **fields: Any):
        """Return a difference of the BTC wallet."""
        ours, theirs = Decimal(streamed), Decimal(observed)
        defaults: dict[str, Any] = {
            "subaccount": "",
            "wallet": "",
            "wallet_id": "",
            "asset": "BTC",
            "streamed": ours,
            "observed": theirs,
            "residual": theirs - ours,
            "cause": "missed_event",
        }
        return Difference(**(defaults | fields))

    @staticmethod
    def proof(**fields: Any):
        """Return a proof of the BTC wallet."""
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
            "expected": Decimal(1),
            "observed": Decimal(1),
            "residual": Decimal(0),
            "proven_through": NOON,
            "checked_at": NOON,
            "last_event_id": "old",
        }
        return BalanceProof(**(defaults | fields))
