"""Helpers of the Bitfinex tests: frames as the venue writes them, one connection."""

import json
from datetime import UTC, datetime
from pathlib import Path

from balance_connector.books import Account, Books
from balance_connector.venue import Credentials, Response
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.stream import BitfinexStream

DATA = Path(__file__).parents[4] / "data" / "bitfinex"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MTS = 1_786_327_545_453
KEY = Credentials("key", "secret")
BOTH = 98_304


def seed(name: str) -> bytes:
    """Return a documented or captured frame."""
    return (DATA / f"{name}.json").read_bytes()


def conf_answer(codes=("BTC", "UST", "NEWCOIN")) -> Response:
    """Return the answer to the public maps: the two captured ones and a list."""
    (symbols,) = json.loads(seed("conf_symbols"))
    (underlyings,) = json.loads(seed("conf_underlyings"))
    return Response(200, json.dumps([symbols, underlyings, list(codes)]).encode())


def fresh(
    known=None, tolerated=frozenset(), epoch=1, answer=None, **options
) -> BitfinexStream:
    """Return a protocol that has sent its login."""
    account = Account("bitfinex", "main")
    books = Books(account, "ws", epoch, {} if known is None else known)
    stream = BitfinexStream(
        KEY, BitfinexOptions(**options), books, frozenset(tolerated)
    )
    stream.open(answer, 1, NOW)
    return stream


def connection(known=None, flags=BOTH, **more) -> BitfinexStream:
    """Return a protocol that is logged in."""
    stream = fresh(known, **more)
    assert stream.receive(seed("ws_info"), NOW).demand is None
    assert stream.receive(conf(flags), NOW).demand is None
    assert stream.receive(seed("ws_auth"), NOW).demand is None
    return stream


def conf(flags, status="OK") -> bytes:
    """Return the acknowledgement of flags."""
    return json.dumps({"event": "conf", "status": status, "flags": flags}).encode()


def ws(rows: list[str], number: int | None, account=0) -> bytes:
    """Return a picture of rows that are JSON texts already."""
    return array("ws", f"[{','.join(rows)}]", number, account)


def wu(row: str, number: int | None, account=7) -> bytes:
    """Return an update of a row that is a JSON text already."""
    return array("wu", row, number, account)


def array(kind: str, payload: str, number: int | None, account=7) -> bytes:
    """Return a frame of channel 0 with both flags, or without any number."""
    numbers = "" if number is None else f",{number},{account},{MTS}"
    return f'[0,"{kind}",{payload}{numbers}]'.encode()


def hb(number: int) -> bytes:
    """Return a heartbeat."""
    return f'[0,"hb",{number},{MTS}]'.encode()


def row(word, code, balance, available="null", description=None, meta="null") -> str:
    """Return a wallet array of seven positions."""
    return (
        f'["{word}","{code}",{balance},0,{available},{json.dumps(description)},{meta}]'
    )


def told(step) -> list[tuple]:
    """Return (kind, wallet, id, asset, balance as text) of a step's events."""
    return [
        (e.kind, e.wallet, e.wallet_id, e.asset, str(e.balance)) for e in step.events
    ]
