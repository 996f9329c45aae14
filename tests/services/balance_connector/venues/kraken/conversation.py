"""Helpers of the Kraken tests: frames as the venue writes them, one connection."""

import json
from datetime import UTC, datetime
from pathlib import Path

from balance_connector.books import Account, Books
from balance_connector.venue import Credentials
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.stream import KrakenStream

DATA = Path(__file__).parents[4] / "data" / "kraken"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = Credentials("key", "c2VjcmV0")


def connection(
    known=None, tolerated=frozenset(), epoch=1, recent=None, **options
) -> KrakenStream:
    """Return a protocol whose books start with what was known and told."""
    account = Account("kraken", "main")
    books = Books(account, "ws", epoch, {} if known is None else known, recent)
    return KrakenStream(KEY, KrakenOptions(**options), books, frozenset(tolerated))


def frame(kind: str, rows: list[str], sequence: int | None) -> bytes:
    """Return a balances frame of rows that are JSON texts already."""
    number = "" if sequence is None else f',"sequence":{sequence}'
    return (
        f'{{"channel":"balances","type":"{kind}","data":[{",".join(rows)}]{number}}}'
    ).encode()


def asset(code: str, total: str, *wallets: tuple[str, str, str]) -> str:
    """Return a picture row; wallets are (type, id, balance)."""
    listed = ",".join(
        f'{{"type":"{kind}","id":"{name}","balance":{balance}}}'
        for kind, name, balance in wallets
    )
    return (
        f'{{"asset":"{code}","asset_class":"currency","balance":{total},'
        f'"wallets":[{listed}]}}'
    )


def entry(
    code: str,
    amount: str,
    balance: str,
    *,
    ledger_id: str = "L1",
    fee: str = "0.0",
    wallet: tuple[str, str] | None = ("spot", "main"),
    **more: object,
) -> str:
    """Return an update row."""
    fields = {
        "ledger_id": ledger_id,
        "ref_id": "R1",
        "timestamp": "2026-01-02T03:04:05.678901Z",
        "type": "trade",
        "asset": code,
        "asset_class": "currency",
        "category": "trade",
        **more,
    }
    if wallet is not None:
        fields |= {"wallet_type": wallet[0], "wallet_id": wallet[1]}
    text = json.dumps(fields)
    return f'{text[:-1]},"amount":{amount},"fee":{fee},"balance":{balance}}}'


def seed(name: str) -> bytes:
    """Return a frame of the documentation."""
    return (DATA / f"{name}.json").read_bytes()


def told(step) -> list[tuple]:
    """Return (kind, wallet, id, asset, balance as text) of a step's events."""
    return [
        (e.kind, e.wallet, e.wallet_id, e.asset, str(e.balance)) for e in step.events
    ]
