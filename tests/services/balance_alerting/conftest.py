"""Records of one account, and an engine that they are played to."""

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from balance_alerting.engine import Engine
from balance_alerting.memory import episode_of
from balance_alerting.rules_text import read_rules
from balance_alerting.transit import Late
from balance_schemas.records import (
    Alert,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Difference,
    Movement,
    Reconciliation,
)

sys.path.insert(0, str(Path(__file__).parent))  # for alert_cases, alertmanager

from alertmanager import PROGRAM, REQUIRED, Alertmanager

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a time, in seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def event(seconds: float, balance: Any, **fields: Any) -> BalanceEvent:
    """Return an update of one Kraken wallet."""
    defaults: dict[str, Any] = {
        "event_id": f"e{seconds}",
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
        "kind": "update",
        "balance": Decimal(balance),
        "balance_scope": "wallet",
        "received_at": at(seconds),
        "epoch": 1,
    }
    return BalanceEvent(**(defaults | fields))


def moved(seconds: float, balance: Any, change: Any, type_: str = "trade", **fields):
    """Return an update with one ledger line."""
    size = None if change is None else Decimal(change)
    line = Movement(movement_id=f"m{seconds}", type=type_, amount=size, change=size)
    return event(seconds, balance, delta=size, movements=(line,), **fields)


def status(seconds: float, state: str = "live", **fields: Any) -> ConnectorStatus:
    """Return a status of the account's stream."""
    defaults: dict[str, Any] = {
        "venue": "kraken",
        "account": "main",
        "feed": "ws",
        "state": state,
        "reason": "",
        "epoch": 1,
        "since": at(seconds),
        "instance": "here-1",
        "version": "0",
    }
    return ConnectorStatus(**(defaults | fields))


def proof(seconds: float, verdict: str = "PROVEN", **fields: Any) -> BalanceProof:
    """Return a verdict on the wallet."""
    defaults: dict[str, Any] = {
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "wallet": "spot",
        "wallet_id": "main",
        "asset": "BTC",
        "verdict": verdict,
        "method": "chain",
        "reason": "" if verdict == "PROVEN" else "gap",
        "checked_at": at(seconds),
        "last_event_id": "e",
    }
    return BalanceProof(**(defaults | fields))


def compared(seconds: float, verdict: str = "consistent", **fields: Any):
    """Return a reconciliation; an inconsistent one differs in the wallet."""
    found = Difference(
        subaccount="",
        wallet="spot",
        wallet_id="main",
        asset="BTC",
        streamed=Decimal(1),
        observed=Decimal("1.5"),
        residual=Decimal("0.5"),
        cause="missed_event",
    )
    defaults: dict[str, Any] = {
        "venue": "kraken",
        "account": "main",
        "requested_at": at(seconds),
        "answered_at": at(seconds),
        "verdict": verdict,
        "checked": 1,
        "differences": (found,) if verdict == "inconsistent" else (),
    }
    return Reconciliation(**(defaults | fields))


def tell(engine: Engine, record: Any) -> None:
    """Give an engine a record; a number of seconds is a tick."""
    match record:
        case BalanceEvent():
            engine.take_event(record)
        case ConnectorStatus():
            engine.take_status(record.key, record, record.since)
        case BalanceProof():
            engine.take_proof(record)
        case Reconciliation():
            engine.take_reconciliation(record)
        case (str() as key, None):
            engine.take_status(key, None, NOON)
        case _:
            engine.tick(at(record))


rules_of = lru_cache(read_rules)


class PlayLate:
    """Plays events to the rules on transfers, as `Play` does to the others."""

    def __init__(self, rules: str, before: Any = ()) -> None:
        self.late = Late(rules_of(rules))
        for alert in before:
            self.late.restore(episode_of(alert))
        self.late.begin()
        self.records: list[Alert] = []

    def tell(self, *records: Any) -> list[str]:
        """Give events; a number of seconds is a look at that time."""
        for record in records:
            if isinstance(record, BalanceEvent):
                self.late.take(record)
            else:
                self.late.tick(at(record))
        new = self.late.alerts.take_records()
        self.records += new
        return [f"{alert.rule} {alert.state}" for alert in new]

    def topic(self) -> list[Alert]:
        """Return the last record of each alert."""
        return list({alert.alert_id: alert for alert in self.records}.values())


class Play:
    """Plays records to an engine.

    Args:
        rules: text of the rules.
        before: alerts as their topic has them.
        past: records of before the start.

    Attributes:
        engine: the engine.
        records: alerts as published, in order.
    """

    def __init__(self, rules: str, before: Any = (), past: Any = ()) -> None:
        self.engine = Engine(rules_of(rules))
        for alert in before:
            self.engine.restore(episode_of(alert))
        for record in past:
            tell(self.engine, record)
        self.engine.begin(max(self.engine.now, NOON))
        self.records: list[Alert] = self.engine.alerts.take_records()

    def tell(self, *records: Any) -> list[str]:
        """Give records; returns the states of the alerts that they led to."""
        for record in records:
            tell(self.engine, record)
        new = self.engine.alerts.take_records()
        self.records += new
        return [f"{alert.rule} {alert.state}" for alert in new]

    def topic(self) -> list[Alert]:
        """Return the last record of each alert."""
        return list({alert.alert_id: alert for alert in self.records}.values())

    def firing(self) -> list[str]:
        """Return the rules whose alerts fire or are held, with their state."""
        return sorted(
            f"{alert.rule} {alert.state}"
            for alert in self.topic()
            if alert.state != "resolved"
        )


def given_up(_seconds: float) -> tuple[str, None]:
    """Return the tombstone of the account's stream."""
    return "kraken|main|ws", None


def out(seconds: float, amount: Any) -> BalanceEvent:
    """Return a withdrawal from the account."""
    return moved(seconds, 5, -Decimal(amount), "withdrawal")


def came(seconds: float, amount: Any) -> BalanceEvent:
    """Return a deposit at another venue."""
    names = {"venue": "bitfinex", "event_id": f"d{seconds}"}
    return moved(seconds, 9, amount, "deposit", **names)


class Make:
    """Builders for tests."""

    out = staticmethod(out)
    came = staticmethod(came)

    amount = Decimal
    given_up = staticmethod(given_up)
    at = staticmethod(at)
    event = staticmethod(event)
    moved = staticmethod(moved)
    status = staticmethod(status)
    proof = staticmethod(proof)
    compared = staticmethod(compared)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    """Give the builders."""
    return Make


@pytest.fixture(scope="session")
def play() -> type[Play]:
    """Give what plays records to an engine."""
    return Play


class Hook:
    """A page that takes JSON and can be out of order.

    Attributes:
        got: what it took, in order.
        headers: of each.
        status: what it answers; anything but 200 takes nothing.
        refuse: a text that it answers 400 to.
    """

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.headers: list[Any] = []
        self.bodies: list[bytes] = []
        self.asked = 0
        self.status = 200
        self.refuse: str = ""
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Answer a POST."""
        self.asked += 1
        body = await request.read()
        if self.refuse and self.refuse in body.decode():
            return web.Response(status=400, text="not liked")
        if self.status == 200:
            self.bodies.append(body)
            self.got.append(json.loads(self.bodies[-1]))
            self.headers.append(request.headers)
        return web.Response(status=self.status, text="as you say")

    def rules(self) -> list[tuple[str, str]]:
        """Return (rule, kind) of what it took."""
        return [(one["rule"], one["kind"]) for one in self.got]


async def _serving():
    hook, app = Hook(), web.Application()
    app.add_routes([web.post("/hook", hook.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


@pytest.fixture
async def hook():
    """Give a webhook."""
    async for hook in _serving():
        yield hook


@pytest.fixture
async def receiver():
    """Give a page for what Alertmanager tells."""
    async for hook in _serving():
        yield hook


@pytest.fixture
def alertmanager(tmp_path, receiver):
    """Give a real Alertmanager that is running."""
    if PROGRAM is None and not REQUIRED:
        pytest.skip(
            "no Alertmanager: install the Debian package prometheus-alertmanager"
        )
    assert PROGRAM is not None, "ALERTMANAGER_REQUIRED is set, and none is installed"
    found = Alertmanager(tmp_path, receiver.url)
    found.start()
    yield found
    found.kill()


@pytest.fixture(scope="session")
def play_late() -> type[PlayLate]:
    """Give what plays events to the rules on transfers."""
    return PlayLate
