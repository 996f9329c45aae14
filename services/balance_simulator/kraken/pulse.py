"""Load traffic: the cheapest updates that keep the books right, for benchmarks.

Each wallet in turn takes a deposit, and on its next turn a withdrawal of the same
amount, so that there are only two rows to write for each wallet. They are written once
and told again with a fresh ledger id, reference and time; when something else has moved
the asset in between, they are written anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from balance_simulator.exact import EXACT, rfc3339, unit
from balance_simulator.kraken import frames
from balance_simulator.kraken.assets import Asset
from balance_simulator.kraken.ledger import (
    ZERO,
    BalanceScope,
    Entry,
    LedgerLine,
    Wallet,
)
from balance_simulator.kraken.state import State

_STEPS = Decimal(1234)
_MARK = '"type":'


@dataclass(slots=True)
class _Phase:
    """One of the two rows of a wallet: what it starts from, leads to and looks like."""

    before: tuple[Decimal, Decimal, Asset]
    line: LedgerLine
    tail: str


class Pulse:
    """Produces load traffic on all spot wallets of some users, currencies only.

    Args:
        state: the venue.
        users: whose wallets move.
        scope: what an update's ``balance`` covers.
    """

    def __init__(self, state: State, users: Sequence[str], scope: BalanceScope) -> None:
        self._state = state
        self._scope = scope
        self._wallets = [
            wallet
            for user in users
            for wallets in state.ledger.wallets(user).values()
            for wallet in wallets
            if wallet.type == "spot"
            and state.assets.internal(wallet.asset).kind == "currency"
        ]
        self._phases: dict[tuple[Wallet, int], _Phase] = {}
        self._turn = 0

    def step(self, at_us: int) -> tuple[LedgerLine, str]:
        """Write one line; return it with its row as text (no user, not rebased)."""
        round_number, position = divmod(self._turn, len(self._wallets))
        self._turn += 1
        wallet, sign = self._wallets[position], (1, -1)[round_number % 2]
        phase = self._phases.get((wallet, sign))
        if phase is None or phase.before != self._before(wallet):
            phase = self._phases[wallet, sign] = self._write(wallet, sign)
        identifiers = self._state.identifiers
        ledger_id, ref_id = identifiers.ledger_id(), identifiers.trade_ref()
        _, _, entry, balance, total = phase.line
        told = Entry(wallet, ref_id, *entry[2:])
        line = LedgerLine(ledger_id, at_us, told, balance, total)
        self._state.ledger.record(line)
        row = (
            f'{{"ledger_id":"{ledger_id}","ref_id":"{ref_id}",'
            f'"timestamp":"{rfc3339(at_us)}",{phase.tail}'
        )
        return line, row

    def _before(self, wallet: Wallet) -> tuple[Decimal, Decimal, Asset]:
        ledger = self._state.ledger
        return (
            ledger.balance(wallet),
            ledger.total(wallet.user, wallet.asset),
            ledger.assets.internal(wallet.asset),
        )

    def _write(self, wallet: Wallet, sign: int) -> _Phase:
        before = self._before(wallet)
        balance, total, asset = before
        step = unit(asset.decimals)
        amount = EXACT.multiply(_STEPS * sign, step)
        kind = "deposit" if sign > 0 else "withdrawal"
        entry = Entry(wallet, "", kind, amount, step * ZERO, category=kind)
        line = LedgerLine(
            "", 0, entry, EXACT.add(balance, amount), EXACT.add(total, amount)
        )
        row = frames.update_row(
            line, self._state.assets, self._scope, with_user=False, rebased=False
        )
        return _Phase(before, line, row[row.index(_MARK) :])
