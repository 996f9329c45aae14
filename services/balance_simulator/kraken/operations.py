"""What can happen to an account: each operation is one or more lines in the ledger.

Types, subtypes and categories are those of the page "Balances" (section Update), and of
``Ledgers`` where that list has none (``earn`` with ``autoallocation``).
"""

from dataclasses import dataclass
from decimal import Decimal

from balance_simulator.exact import EXACT, cut_to_scale, round_to_scale
from balance_simulator.kraken.identifiers import Identifiers
from balance_simulator.kraken.ledger import (
    ZERO,
    Entry,
    Ledger,
    LedgerError,
    LedgerLine,
    PendingWithdrawal,
    Wallet,
)

SPOT = ("spot", "main")
FEE_RATE = Decimal("0.0026")


@dataclass(frozen=True, slots=True)
class Operations:
    """Writes whole operations; each method returns the lines that it wrote.

    Names of assets may be internal, alternative or display names. ``at_us`` is the
    venue's time in microseconds since 1970 (UTC).
    """

    ledger: Ledger
    identifiers: Identifiers

    def wallet(self, user: str, asset: str, names: tuple[str, str] = SPOT) -> Wallet:
        """Return the wallet of a user by the asset's name and its two names."""
        return Wallet(user, self.ledger.assets.find(asset).internal, *names)

    def deposit(
        self, wallet: Wallet, amount: Decimal, fee: Decimal, at_us: int
    ) -> list[LedgerLine]:
        """Credit a deposit; its fee comes on top of the amount."""
        ref = self.identifiers.transfer_ref()
        entry = Entry(wallet, ref, "deposit", amount, fee, category="deposit")
        return self.ledger.post([entry], at_us)

    def withdraw(
        self, wallet: Wallet, amount: Decimal, fee: Decimal, at_us: int
    ) -> list[LedgerLine]:
        """Ask for a withdrawal of a positive amount and complete it at once."""
        return self.complete_withdrawal(
            self.request_withdrawal(wallet, amount, fee), at_us
        )

    def request_withdrawal(self, wallet: Wallet, amount: Decimal, fee: Decimal) -> str:
        """Ask for a withdrawal and return its reference; REST leaves it out at once."""
        if amount <= ZERO:
            raise LedgerError("the amount of a withdrawal is positive")
        ref = self.identifiers.transfer_ref()
        pending = PendingWithdrawal(wallet, amount, fee)
        self.ledger.checked(_withdrawal(ref, pending))
        self.ledger.request_withdrawal(ref, pending)
        return ref

    def complete_withdrawal(self, ref_id: str, at_us: int) -> list[LedgerLine]:
        """Write the line of a withdrawal that was asked for."""
        pending = self.ledger.take_pending(ref_id)
        return self.ledger.post([_withdrawal(ref_id, pending)], at_us)

    def trade(
        self,
        user: str,
        base: str,
        quote: str,
        volume: Decimal,
        price: Decimal,
        at_us: int,
        *,
        fee_rate: Decimal = FEE_RATE,
        fee_in_credits: bool = False,
    ) -> list[LedgerLine]:
        """Trade: a base leg, then a quote leg which carries the fee.

        Args:
            user: whose trade.
            base: the asset bought or sold.
            quote: the asset paid with.
            volume: of the base; negative sells.
            price: quote units for one base unit.
            at_us: venue time.
            fee_rate: part of the cost, rounded to the quote's decimals.
            fee_in_credits: take the fee as a third line, in KFEE fee credits.
        """
        decimals = self.ledger.assets.find(quote).decimals
        cost = cut_to_scale(EXACT.multiply(volume, price), decimals)
        fee = round_to_scale(EXACT.multiply(EXACT.abs(cost), fee_rate), decimals)
        ref = self.identifiers.trade_ref()
        legs = [
            self._leg(user, base, ref, volume, ZERO),
            self._leg(
                user, quote, ref, EXACT.minus(cost), ZERO if fee_in_credits else fee
            ),
        ]
        if fee_in_credits:
            credits_used = cut_to_scale(EXACT.multiply(fee, Decimal(100)), 2)
            legs.append(self._leg(user, "KFEE", ref, ZERO, credits_used))
        return self.ledger.post(legs, at_us)

    def _leg(
        self, user: str, asset: str, ref: str, amount: Decimal, fee: Decimal
    ) -> Entry:
        wallet = self.wallet(user, asset)
        return Entry(wallet, ref, "trade", amount, fee, category="trade")

    def stake(
        self, spot: Wallet, amount: Decimal, at_us: int, wallet_id: str = "bonded"
    ) -> list[LedgerLine]:
        """Move into staking as the old system does: two references for one move.

        A negative amount takes it back out.
        """
        into = amount > ZERO
        there, back = (
            ("spottostaking", "stakingfromspot")
            if into
            else ("spotfromstaking", "stakingtospot")
        )
        entries = [
            Entry(
                spot,
                self.identifiers.transfer_ref(),
                "transfer",
                EXACT.minus(amount),
                subtype=there,
            ),
            Entry(
                spot._replace(type="earn", id=wallet_id),
                self.identifiers.transfer_ref(),
                "transfer",
                amount,
                subtype=back,
            ),
        ]
        return self.ledger.post(entries if into else entries[::-1], at_us)

    def allocate(
        self,
        spot: Wallet,
        amount: Decimal,
        at_us: int,
        wallet_id: str = "liquid",
        *,
        automatic: bool = True,
    ) -> list[LedgerLine]:
        """Move from spot to an earn wallet under one reference.

        A negative amount takes it back out.
        """
        subtype = "allocation" if amount > ZERO else "deallocation"
        if automatic and amount > ZERO:
            subtype = "autoallocation"
        ref = self.identifiers.transfer_ref()
        earn = spot._replace(type="earn", id=wallet_id)
        return self.ledger.post(
            [
                Entry(spot, ref, "earn", EXACT.minus(amount), subtype=subtype),
                Entry(earn, ref, "earn", amount, subtype=subtype),
            ],
            at_us,
        )

    def reward(self, wallet: Wallet, amount: Decimal, at_us: int) -> list[LedgerLine]:
        """Pay out a reward into an earn wallet."""
        ref = self.identifiers.staking_ref()
        entry = Entry(wallet, ref, "reward", amount, category="staking-rewards")
        return self.ledger.post([entry], at_us)

    def fee(self, wallet: Wallet, fee: Decimal, at_us: int) -> list[LedgerLine]:
        """Charge a fee alone: amount 0, and the fee taken off (KFEE fee credits)."""
        entry = Entry(wallet, self.identifiers.staking_ref(), "trade", ZERO, fee)
        return self.ledger.post([entry], at_us)

    def adjust(
        self,
        wallet: Wallet,
        amount: Decimal,
        at_us: int,
        words: tuple[str, str, str] = ("adjustment", "", ""),
    ) -> list[LedgerLine]:
        """Write any line: ``words`` are its type, subtype and category."""
        kind, subtype, category = words
        ref = self.identifiers.staking_ref()
        entry = Entry(wallet, ref, kind, amount, ZERO, subtype, category)
        return self.ledger.post([entry], at_us)


def _withdrawal(ref_id: str, pending: PendingWithdrawal) -> Entry:
    kind = "withdrawal"
    amount = EXACT.minus(pending.amount)
    return Entry(pending.wallet, ref_id, kind, amount, pending.fee, category=kind)
