"""Helpers of the Zero Hash tests: messages and answers as the venue writes them."""

import json
from datetime import UTC, datetime
from pathlib import Path

from balance_connector.books import Account, Books
from balance_connector.venue import Credentials, Response
from balance_connector.venues.zerohash import ZEROHASH
from balance_connector.venues.zerohash.options import ZeroHashOptions
from balance_connector.venues.zerohash.stream import ZeroHashStream

DATA = Path(__file__).parents[4] / "data"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "2mC4ZvVd4goRkuJm+rjr9byUiaUW1b6tVN4xy9QXNSE="
KEY = Credentials("key", SECRET, "pass")
SUB = "ABC123/XXX456/general"


def connection(
    known=None, tolerated=frozenset(), epoch=1, recent=None, **options
) -> ZeroHashStream:
    """Return a protocol whose books start with what was known."""
    account = Account("zerohash", "main")
    known = {} if known is None else known
    books = Books(account, "ws", epoch, known, recent)
    return ZEROHASH.stream(KEY, ZeroHashOptions(**options), books, frozenset(tolerated))


def row(asset: str = "BTC", balance: object = "1.00", **more: object) -> dict:
    """Return an account of a picture; None leaves a member out."""
    fields = {
        "account_id": "12345",
        "participant_code": "ABC123",
        "account_group": "XXX456",
        "account_label": "general",
        "account_type": "available",
        "asset": asset,
        "balance": balance,
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def message(kind: str, body: object) -> bytes:
    """Return a message of the stream."""
    text = json.dumps({"messageType": kind, "body": body}, ensure_ascii=False)
    return text.encode()


def picture(*rows: dict) -> bytes:
    """Return an ``initial-balance``."""
    return message("initial-balance", list(rows))


def moved(change: object, **more: object) -> dict:
    """Return a movement."""
    return {
        "movement_timestamp": "2026-01-02T03:04:05.123456789Z",
        "movement_id": "M1",
        "movement_type": "deposit",
        "change": change,
        **more,
    }


def update(
    asset: str = "BTC",
    balance: object = "1.00",
    run_id: object = "7",
    at: object = "2026-01-02T03:04:06.000001Z",
    **more: object,
) -> bytes:
    """Return a ``balance-updated``."""
    fields = {"account_id": None, "movements": [moved("0.5")], "run_type": "deposit"}
    fields |= {"run_id": run_id, "run_timestamp": at} | more
    return message("balance-updated", row(asset, balance, **fields))


def live(*rows: dict, known=None, **options) -> ZeroHashStream:
    """Return a protocol that has taken in its picture."""
    stream = connection(known, **options)
    list(stream.receive(picture(*rows), NOW).events)
    return stream


def account(asset: str = "BTC", balance: object = "1.00", **more: object) -> dict:
    """Return a row of ``GET /accounts``."""
    fields = row(asset, balance, **({"last_update": 1767323045123} | more))
    if "participant_code" in fields:
        fields["account_owner"] = fields.pop("participant_code")
    return fields


def page(*rows: dict, number: int = 1, of: int = 1, status: int = 200) -> Response:
    """Return a page of a REST answer."""
    body = {"message": list(rows), "page": number, "total_pages": of}
    return Response(status, json.dumps(body, ensure_ascii=False).encode())


def seed(name: str, venue: str = "zerohash") -> bytes:
    """Return a frame of the documentation."""
    return (DATA / venue / f"{name}.json").read_bytes()


def told(events) -> list[tuple]:
    """Return (kind, subaccount, wallet id, asset, balance as text) of events."""
    return [
        (e.kind, e.subaccount, e.wallet_id, e.asset, str(e.balance)) for e in events
    ]
