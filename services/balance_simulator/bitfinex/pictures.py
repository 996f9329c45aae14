"""The payloads of array frames: pictures, updates, calculated values and the rest.

Source: seed page "Wallets" for ``ws`` and ``wu``; the notes about frames seen for
``bu`` (account-wide totals), ``n``, ``te`` and ``tu``, which no balance hangs on.
"""

import json
from collections.abc import Sequence
from decimal import Decimal

from balance_simulator.bitfinex.filters import Filters
from balance_simulator.bitfinex.frames import compact, number, wallet_row
from balance_simulator.bitfinex.ledger import ZERO, LedgerLine, Wallet
from balance_simulator.bitfinex.state import State
from balance_simulator.exact import EXACT, cut_to_scale
from balance_simulator.faults import Fault

ORDER = (
    ("trading", "ps"),
    ("wallet", "ws"),
    ("trading", "os"),
    ("funding", "fos"),
    ("funding", "fcs"),
    ("funding", "fls"),
)
"""Category → kind of the pictures that follow a login, in their order."""


def wallets(state: State, filters: Filters) -> str:
    """Return the payload of ``ws``: all wallets ever used that the filters let by."""
    wanted = [
        wallet
        for wallet in state.ledger
        if filters.wants_wallet(
            wallet.type, state.currencies.internal(wallet.currency).code
        )
    ]
    figure = state.faults.take(Fault.FIGURE, to="snapshot")
    rows: list[str] = []
    for wallet in wanted:
        balance = number(state.ledger.balance(wallet))
        if figure and not rows:
            balance = str(figure.arguments["text"])
        rows.append(_row(state, wallet, balance))
    if state.settings.flat_ws and len(rows) == 1:
        return rows[0]
    return f"[{','.join(rows)}]"


def _row(state: State, wallet: Wallet, balance: str) -> str:
    settings = state.settings
    words = last_words(state, wallet) if settings.ws_descriptions else ("", "")
    return wallet_row(
        state.ledger,
        wallet,
        balance,
        settings.row_fields,
        available=settings.ws_available,
        words=words,
    )


def last_words(state: State, wallet: Wallet) -> tuple[str, str]:
    """Return description and meta of a wallet's last change."""
    last = state.ledger.last(wallet)
    return (last.description, last.meta) if last else ("", "")


def update(state: State, line: LedgerLine, balance: str) -> str:
    """Return the payload of ``wu`` for a ledger line: nothing about what is free."""
    entry = line.entry
    return wallet_row(
        state.ledger,
        entry.wallet,
        balance,
        state.settings.row_fields,
        words=(entry.description, entry.meta),
    )


def calculated(state: State, wallet: Wallet) -> str:
    """Return the payload of the ``wu`` that answers a calculation: the free part."""
    describes = state.settings.calc_describes
    return wallet_row(
        state.ledger,
        wallet,
        number(state.ledger.balance(wallet)),
        state.settings.row_fields,
        available=True,
        words=last_words(state, wallet) if describes else ("", ""),
    )


def totals(state: State) -> str:
    """Return the payload of ``bu``: all that is held, in dollars, gross and net."""
    total = ZERO
    for wallet in state.ledger:
        price = Decimal(state.currencies.internal(wallet.currency).price)
        worth = EXACT.multiply(state.ledger.balance(wallet), price)
        total = EXACT.add(total, worth)
    told = number(cut_to_scale(total, 2))
    return f"[{told},{told}]"


def refused_request(kind: str, now_us: int) -> str:
    """Return the payload of the notification that refuses an order or the like."""
    words = f"{kind}: this venue takes balances only"
    return compact(
        [now_us // 1000, f"{kind}-req", None, None, None, None, "ERROR", words]
    )


def transferred(lines: Sequence[LedgerLine], codes: Sequence[str]) -> str:
    """Return the payload of the notification about a transfer between wallets."""
    (source, to), at_ms = lines, lines[0].at_us // 1000
    moved = f'"{source.entry.wallet.type}","{to.entry.wallet.type}",null'
    names = ",".join(f'"{code}"' for code in codes)
    amount = number(to.entry.amount)
    return (
        f'[{at_ms},"wallet_transfer",null,null,[{at_ms},{moved},null,{names},null,'
        f'{amount}],null,"SUCCESS",{json.dumps(to.entry.description)}]'
    )


def traded(lines: Sequence[LedgerLine], codes: Sequence[str], kind: str) -> str:
    """Return the payload of ``te``, or of ``tu`` which tells the fee too."""
    base = lines[0]
    meta = json.loads(base.entry.meta)
    fee = "null,null"
    if kind == "tu" and len(lines) > len(codes):
        fee = f'{number(lines[-1].entry.amount)},"{codes[0]}"'
    return (
        f'[{base.id},"t{"".join(codes)}",{base.at_us // 1000},{meta["order_id"]},'
        f"{number(base.entry.amount)},{meta['trade_price']},"
        f'"EXCHANGE LIMIT",{meta["trade_price"]},-1,{fee},{meta["order_cid"]}]'
    )
