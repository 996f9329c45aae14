"""Load traffic: the cheapest updates that keep the books right, for benchmarks.

Each wallet in turn takes a deposit, and on its next turn a withdrawal of the same
amount. The two rows of a wallet are written once and told again for as long as nothing
else moves it.
"""

from dataclasses import dataclass
from decimal import Decimal

from balance_simulator.bitfinex import pictures
from balance_simulator.bitfinex.frames import number
from balance_simulator.bitfinex.ledger import Entry, LedgerLine, Wallet
from balance_simulator.bitfinex.state import State
from balance_simulator.exact import EXACT

_AMOUNT = Decimal("0.00001234")


@dataclass(slots=True)
class _Phase:
    """One of the two rows of a wallet: what it starts from, leads to and looks like."""

    before: Decimal
    code: str
    entry: Entry
    after: Decimal
    payload: str


class Pulse:
    """Produces load traffic on all wallets.

    Args:
        state: the venue.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._wallets = list(state.ledger)
        self._phases: dict[tuple[Wallet, int], _Phase] = {}
        self._turn = 0

    def step(self, at_us: int) -> tuple[LedgerLine, str]:
        """Write one line; return it with its row as text."""
        round_number, position = divmod(self._turn, len(self._wallets))
        self._turn += 1
        wallet, sign = self._wallets[position], (1, -1)[round_number % 2]
        phase = self._phases.get((wallet, sign))
        ledger = self._state.ledger
        code = ledger.currencies.internal(wallet.currency).code
        before = ledger.balance(wallet)
        if phase is None or (phase.before, phase.code) != (before, code):
            phase = self._phases[wallet, sign] = self._write(wallet, sign, code)
        return ledger.record(phase.entry, phase.after, at_us), phase.payload

    def _write(self, wallet: Wallet, sign: int, code: str) -> _Phase:
        before = self._state.ledger.balance(wallet)
        amount = EXACT.multiply(_AMOUNT, Decimal(sign))
        after = EXACT.add(before, amount)
        kind = "deposit" if sign > 0 else "withdrawal"
        entry = Entry(wallet, amount, kind, f"{kind.title()} ({code}) #17")
        line = LedgerLine(0, 0, entry, after)
        payload = pictures.update(self._state, line, number(after))
        return _Phase(before, code, entry, after, payload)
