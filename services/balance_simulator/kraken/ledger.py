"""The true books of the venue: every wallet's balance and the lines that led to it.

One rule makes every balance: ``balance = previous balance + amount - fee``, all in the
same asset (support page "How to interpret Ledger history fields"). Nothing is rounded.
The venue's REST balance is net of pending withdrawals, which have no line yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from balance_simulator.exact import EXACT, at_scale, plain
from balance_simulator.kraken.assets import AssetList
from balance_simulator.kraken.identifiers import Identifiers

BalanceScope = Literal["wallet", "account"]
ZERO = Decimal(0)


class LedgerError(ValueError):
    """The books cannot take this operation; nothing was written."""


class Wallet(NamedTuple):
    """One pocket: whose, of which asset (internal name), and its two names."""

    user: str
    asset: str
    type: str = "spot"
    id: str = "main"


class Entry(NamedTuple):
    """What is to be written to one wallet.

    ``amount`` is gross and signed, ``fee`` is 0 or more and comes on top of it. Empty
    ``subtype`` and ``category`` mean that the venue names none.
    """

    wallet: Wallet
    ref_id: str
    type: str
    amount: Decimal
    fee: Decimal = ZERO
    subtype: str = ""
    category: str = ""


class LedgerLine(NamedTuple):
    """One line of the books, as written.

    ``at_us`` is in microseconds since 1970 (UTC). ``wallet_balance`` is what the wallet
    holds after the line, ``account_balance`` all of the user's wallets of the asset.
    """

    ledger_id: str
    at_us: int
    entry: Entry
    wallet_balance: Decimal
    account_balance: Decimal

    def balance(self, scope: BalanceScope) -> Decimal:
        """Return the figure that the venue's update names ``balance``."""
        return self.wallet_balance if scope == "wallet" else self.account_balance


@dataclass(frozen=True, slots=True)
class User:
    """A master account (``master`` is its own id) or a sub-account of one."""

    id: str
    master: str


class PendingWithdrawal(NamedTuple):
    """A withdrawal asked for and not yet done: REST already leaves it out."""

    wallet: Wallet
    amount: Decimal
    fee: Decimal


class Ledger:
    """All users' wallets and lines.

    Args:
        assets: the venue's assets, whose decimals are the scale of every figure.
        identifiers: the source of ledger ids.
        lines_max: lines to remember at least; older ones are forgotten, their sums
            stay.
    """

    def __init__(
        self, assets: AssetList, identifiers: Identifiers, lines_max: int = 250_000
    ) -> None:
        self.assets = assets
        self.users: dict[str, User] = {}
        self.lines: list[LedgerLine] = []
        self.lines_written = 0
        self.last_ledger_id: dict[str, str] = {}
        self.pending: dict[str, PendingWithdrawal] = {}
        self._identifiers = identifiers
        self._lines_max = lines_max
        self._wallets: dict[Wallet, Decimal] = {}
        self._totals: dict[tuple[str, str], Decimal] = {}
        self._wallets_of: dict[str, dict[str, list[Wallet]]] = {}

    def add_user(self, user_id: str, master: str | None = None) -> User:
        """Open an account, or with ``master`` a sub-account of that user."""
        if user_id in self.users:
            raise LedgerError(f"user {user_id} exists already")
        if master is not None and master not in self.users:
            raise LedgerError(f"master {master} does not exist")
        user = self.users[user_id] = User(user_id, master or user_id)
        self._wallets_of[user_id] = {}
        return user

    def post(self, entries: Iterable[Entry], at_us: int) -> list[LedgerLine]:
        """Write entries in order, all with the same time, and return their lines.

        Raises:
            LedgerError: when a figure has more decimals than its asset.
        """
        scaled = [self.checked(entry) for entry in entries]
        return [self._write(entry, at_us) for entry in scaled]

    def checked(self, entry: Entry) -> Entry:
        """Return an entry at the scale of its asset.

        Raises:
            LedgerError: when it does not fit, or the user does not exist.
        """
        decimals = self.assets.internal(entry.wallet.asset).decimals
        if entry.wallet.user not in self.users:
            raise LedgerError(f"user {entry.wallet.user} does not exist")
        try:
            amount = at_scale(entry.amount, decimals)
            fee = at_scale(entry.fee, decimals)
        except ArithmeticError:
            raise LedgerError(
                f"{entry.wallet.asset} has {decimals} decimals; "
                f"amount {entry.amount}, fee {entry.fee} do not fit"
            ) from None
        wallet, ref_id, kind, _, _, subtype, category = entry
        return Entry(wallet, ref_id, kind, amount, fee, subtype, category)

    def _write(self, entry: Entry, at_us: int) -> LedgerLine:
        wallet = entry.wallet
        change = EXACT.subtract(entry.amount, entry.fee)
        balance = EXACT.add(self._wallets.get(wallet, ZERO), change)
        total = EXACT.add(self.total(wallet.user, wallet.asset), change)
        line = LedgerLine(self._identifiers.ledger_id(), at_us, entry, balance, total)
        self.record(line)
        return line

    def record(self, line: LedgerLine) -> None:
        """Take over a line whose figures were worked out already, as they are."""
        wallet = line.entry.wallet
        if wallet not in self._wallets:
            self._wallets_of[wallet.user].setdefault(wallet.asset, []).append(wallet)
        self._wallets[wallet] = line.wallet_balance
        self._totals[wallet.user, wallet.asset] = line.account_balance
        self.lines.append(line)
        self.lines_written += 1
        self.last_ledger_id[wallet.user] = line.ledger_id
        if len(self.lines) > 2 * self._lines_max:
            del self.lines[: -self._lines_max]

    def balance(self, wallet: Wallet) -> Decimal:
        """Return what a wallet holds now; 0 when it was never used."""
        return self._wallets.get(wallet, ZERO)

    def wallets(self, user: str) -> Mapping[str, list[Wallet]]:
        """Return all wallets ever used by a user, grouped by asset (internal name)."""
        return self._wallets_of[user]

    def total(self, user: str, asset: str) -> Decimal:
        """Return all wallets of one asset (internal name) of a user together."""
        return self._totals.get((user, asset), ZERO)

    def request_withdrawal(self, ref_id: str, pending: PendingWithdrawal) -> None:
        """Note a withdrawal that is asked for; no line is written before it is done."""
        self.pending[ref_id] = pending

    def take_pending(self, ref_id: str) -> PendingWithdrawal:
        """Forget a pending withdrawal, done or cancelled, and return it."""
        try:
            return self.pending.pop(ref_id)
        except KeyError:
            raise LedgerError(f"no withdrawal {ref_id} is pending") from None

    def pending_total(self, wallet: Wallet) -> Decimal:
        """Return what pending withdrawals will take from a wallet, fees included."""
        total = ZERO
        for pending in self.pending.values():
            if pending.wallet == wallet:
                total = EXACT.add(total, EXACT.add(pending.amount, pending.fee))
        return total

    def truth(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return user → asset (display name) → wallet (``spot/main``) → balance."""
        books: dict[str, dict[str, dict[str, str]]] = {}
        for user, by_asset in self._wallets_of.items():
            books[user] = {
                self.assets.internal(asset).display: {
                    f"{wallet.type}/{wallet.id}": plain(self._wallets[wallet])
                    for wallet in wallets
                }
                for asset, wallets in by_asset.items()
            }
        return books
