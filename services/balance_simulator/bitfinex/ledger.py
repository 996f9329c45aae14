"""The true books of the venue: every wallet's balance and the lines that led to it.

One account, whatever key opens it. One economic event is several lines (a trade is two
legs and a fee), each with its own balance after it. Nothing is rounded: a wallet may
show 15 decimals and more, and may be a little negative.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from balance_simulator.bitfinex.currencies import CurrencyList
from balance_simulator.exact import EXACT, plain

ZERO = Decimal(0)
DECIMALS_MAX = 18
WALLET_TYPES = ("exchange", "margin", "funding")
_FIRST_ID = 3_870_000_000


class LedgerError(ValueError):
    """The books cannot take this operation; nothing was written."""


class Wallet(NamedTuple):
    """One pocket: its type and the currency's name in the books."""

    type: str
    currency: str


class Entry(NamedTuple):
    """What is to be written to one wallet.

    ``amount`` is signed; ``kind`` is the operation that it is part of; ``meta`` is JSON
    text, or "" for null. The description is without the wallet.
    """

    wallet: Wallet
    amount: Decimal
    kind: str
    description: str
    meta: str = ""


class LedgerLine(NamedTuple):
    """One line of the books, as written.

    ``id`` grows with each line; ``at_us`` is in microseconds since 1970 (UTC);
    ``balance`` is what the wallet holds after the line.
    """

    id: int
    at_us: int
    entry: Entry
    balance: Decimal


class Ledger:
    """All wallets and lines of the account.

    Args:
        currencies: the venue's currencies.
        lines_max: lines to remember at least; older ones are forgotten, their sums
            stay.
    """

    def __init__(self, currencies: CurrencyList, lines_max: int = 250_000) -> None:
        self.currencies = currencies
        self.lines: list[LedgerLine] = []
        self.lines_written = 0
        self.held: dict[Wallet, Decimal] = {}
        self.interest: dict[Wallet, Decimal] = {}
        self._lines_max = lines_max
        self._wallets: dict[Wallet, Decimal] = {}
        self._last: dict[Wallet, Entry] = {}

    def __iter__(self) -> Iterator[Wallet]:
        """Go through all wallets ever used, in the order of their first use."""
        return iter(self._wallets)

    def post(self, entries: Iterable[Entry], at_us: int) -> list[LedgerLine]:
        """Write entries in order, all with the same time, and return their lines.

        Raises:
            LedgerError: when a figure has more decimals than 18.
        """
        prepared = list(entries)
        for entry in prepared:
            self.check(entry.amount)
        return [self._write(entry, at_us) for entry in prepared]

    def check(self, amount: Decimal) -> None:
        """Refuse an amount that the books cannot hold.

        Raises:
            LedgerError: it has more than 18 decimals.
        """
        exponent = amount.normalize(EXACT).as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -DECIMALS_MAX:
            raise LedgerError(f"{amount} has more than {DECIMALS_MAX} decimals")

    def _write(self, entry: Entry, at_us: int) -> LedgerLine:
        balance = EXACT.add(self.balance(entry.wallet), entry.amount)
        return self.record(entry, balance, at_us)

    def record(self, entry: Entry, balance: Decimal, at_us: int) -> LedgerLine:
        """Take over a line whose balance was worked out already, as it is."""
        line = LedgerLine(_FIRST_ID + self.lines_written, at_us, entry, balance)
        self._wallets[entry.wallet] = balance
        self._last[entry.wallet] = entry
        self.lines.append(line)
        self.lines_written += 1
        if len(self.lines) > 2 * self._lines_max:
            del self.lines[: -self._lines_max]
        return line

    def balance(self, wallet: Wallet) -> Decimal:
        """Return what a wallet holds now; 0 when it was never used."""
        return self._wallets.get(wallet, ZERO)

    def available(self, wallet: Wallet) -> Decimal:
        """Return what is not tied up in orders, positions or funding."""
        return EXACT.subtract(self.balance(wallet), self.held.get(wallet, ZERO))

    def hold(self, wallet: Wallet, amount: Decimal) -> None:
        """Tie up more of a wallet, or with a negative amount less; no line is written.

        Raises:
            LedgerError: when less than nothing would be held.
        """
        self.check(amount)
        held = EXACT.add(self.held.get(wallet, ZERO), amount)
        if held < ZERO:
            raise LedgerError(f"only {self.held.get(wallet, ZERO)} are held")
        self.held[wallet] = held

    def last(self, wallet: Wallet) -> Entry | None:
        """Return the last change of a wallet."""
        return self._last.get(wallet)

    def truth(self, *, available: bool = False) -> dict[str, dict[str, str]]:
        """Return currency (code) → wallet type → exact balance, or the free part."""
        figure = self.available if available else self.balance
        books: dict[str, dict[str, str]] = {}
        for wallet in self:
            code = self.currencies.internal(wallet.currency).code
            books.setdefault(code, {})[wallet.type] = plain(figure(wallet))
        return books
