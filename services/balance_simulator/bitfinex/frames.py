"""What the venue says, as text: events, array frames and rows of REST answers.

Source: pages "ws-general" (info, conf, error, ping, array frames), "ws-auth" (auth),
the seed page "Wallets" (``ws``, ``wu`` and their seven positions) and the notes about
frames captured in 2026 for where the extra elements of ``conf`` flags go. Amounts are
JSON numbers, written from decimals with every digit; those below a millionth have an
exponent, as JavaScript writes them.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from balance_simulator.bitfinex.auth import SCOPE_NAMES
from balance_simulator.bitfinex.ledger import ZERO, Ledger, LedgerLine, Wallet
from balance_simulator.exact import EXACT

TIMESTAMP = 32_768
SEQ_ALL = 65_536
FLAGS = TIMESTAMP | SEQ_ALL
_SMALL = -7


def compact(value: object) -> str:
    """Return JSON without blanks."""
    return json.dumps(value, separators=(",", ":"))


def number(value: Decimal) -> str:
    """Write a number with all its digits, as JavaScript does: ``1e-8``, ``19.76``."""
    if not value:
        return "0"
    short = value.normalize(EXACT)
    if short.adjusted() > _SMALL:
        return format(short, "f")
    mantissa = short.scaleb(-short.adjusted(), EXACT)
    return f"{mantissa:f}e{short.adjusted()}"


def event(name: str, members: Mapping[str, Any]) -> str:
    """Return an event object; events carry no numbers."""
    return compact({"event": name, **members})


def info(version: int, server_id: str, *, operative: bool) -> str:
    """Return the first frame: platform status 1 operative, 0 maintenance."""
    platform = {"status": int(operative)}
    return event(
        "info", {"version": version, "serverId": server_id, "platform": platform}
    )


def caps(readable: frozenset[str], *, as_text: bool) -> object:
    """Return what a key may do (ws-auth, success).

    Args:
        readable: names that may be read; nothing may be written.
        as_text: as the older pages print it: JSON in a string, its digits strings.
    """
    told = {name: {"read": int(name in readable), "write": 0} for name in SCOPE_NAMES}
    if not as_text:
        return told
    return compact(
        {
            name: {verb: str(digit) for verb, digit in verbs.items()}
            for name, verbs in told.items()
        }
    )


def array(
    kind: str,
    payload: str | None,
    flags: int,
    numbers: Sequence[int],
    at_us: int,
) -> str:
    """Return an array frame of channel 0, with the elements that flags add.

    With both flags a data frame is ``[0,TYPE,PAYLOAD,MSG_SEQ,ACCOUNT_SEQ,MTS]`` and a
    heartbeat ``[0,"hb",MSG_SEQ,MTS]``.

    Args:
        kind: such as ``wu``.
        payload: JSON text, or None for a heartbeat.
        flags: those that the client asked for.
        numbers: MSG_SEQ, and ACCOUNT_SEQ where the frame has one.
        at_us: the venue's time; told in milliseconds.
    """
    told = f'[0,"{kind}"]' if payload is None else f'[0,"{kind}",{payload}]'
    return numbered(told, flags, numbers, at_us)


def numbered(text: str, flags: int, numbers: Sequence[int], at_us: int) -> str:
    """Return an array frame with the elements that flags add at its end."""
    extra = ""
    if flags & SEQ_ALL:
        extra = "".join(f",{count}" for count in numbers)
    if flags & TIMESTAMP:
        extra += f",{at_us // 1000}"
    return f"{text[:-1]}{extra}]"


def wallet_row(
    ledger: Ledger,
    wallet: Wallet,
    balance: str,
    fields: int,
    *,
    available: bool = False,
    words: tuple[str, str] = ("", ""),
) -> str:
    """Return a wallet array (page "Wallets", section Wallet array).

    Args:
        ledger: the books, for what is available and the interest.
        wallet: which.
        balance: its balance, as text.
        fields: how many positions are told: 3, 5, 7 or 8 (the last one null).
        available: whether what is available is told; else it is null.
        words: description as plain text and meta as JSON text; "" is null.
    """
    description, meta = words
    free = number(ledger.available(wallet)) if available else "null"
    parts = (
        f'"{wallet.type}"',
        f'"{ledger.currencies.internal(wallet.currency).code}"',
        balance,
        number(ledger.interest.get(wallet, ZERO)),
        free,
        json.dumps(description) if description else "null",
        meta or "null",
        "null",
    )
    return f"[{','.join(parts[:fields])}]"


def ledger_row(line: LedgerLine, code: str, *, with_wallet: bool) -> str:
    """Return a row of the history.

    Positions (official Node and Python models): 0 id, 1 currency, 2 wallet, 3 mts, 5
    amount, 6 balance, 8 description, which ends in `` on wallet X``; 4 and 7 are empty.
    """
    wallet = line.entry.wallet
    text = f"{line.entry.description} on wallet {wallet.type}"
    name = f'"{wallet.type}"' if with_wallet else "null"
    return (
        f'[{line.id},"{code}",{name},{line.at_us // 1000},null,'
        f"{number(line.entry.amount)},{number(line.balance)},null,{json.dumps(text)}]"
    )


def rest_error(code: int, words: str) -> str:
    """Return an error as REST tells it, with HTTP 500: ``["error",10100,"…"]``."""
    return compact(["error", code, words])
