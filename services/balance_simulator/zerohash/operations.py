"""What can happen to accounts: each operation is one or more runs in the ledger.

Run and movement types are those of the OpenAPI description; the steps of a withdrawal
and of obligations follow the vendor's guides "Withdrawals" and "What is an account
type". The two legs of a movement between accounts carry the same ``movement_id``.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeVar

from balance_simulator.exact import EXACT, round_to_scale
from balance_simulator.zerohash.identifiers import Identifiers
from balance_simulator.zerohash.ledger import (
    ZERO,
    Account,
    Extra,
    Ledger,
    LedgerError,
    Leg,
    Run,
)
from balance_simulator.zerohash.settings import ZeroHashSettings

FEE_RATE = Decimal("0.0026")
AVAILABLE, COLLATERAL, STAKED = "available", "collateral", "staked"
PAYABLE, RECEIVABLE = "payable", "receivable"
_SETTLED_S = (0, 0, 60, -1)
PendingT = TypeVar("PendingT")


class PendingWithdrawal(NamedTuple):
    """A withdrawal that has left ``available`` and not yet the books."""

    account: Account
    amount: Decimal


class PendingTrade(NamedTuple):
    """A trade that is owed and not yet settled: what goes out and what comes in."""

    pays: Account
    paid: Decimal
    receives: Account
    received: Decimal


@dataclass(frozen=True, slots=True)
class Operations:
    """Writes whole operations; each method returns the runs that it wrote.

    ``at_us`` is the venue's time in microseconds since 1970 (UTC). Accounts are given
    by their ``available`` one; amounts are positive unless said otherwise.
    """

    ledger: Ledger
    identifiers: Identifiers
    settings: ZeroHashSettings
    rng: random.Random
    withdrawals: dict[str, PendingWithdrawal] = field(default_factory=dict)
    trades: dict[str, PendingTrade] = field(default_factory=dict)

    def post(self, run_type: str, legs: Sequence[Leg], at_us: int) -> Run:
        """Write one run; its movements are a little older or younger than it."""
        settled_s = _SETTLED_S[self.rng.getrandbits(2)]
        return self.ledger.post(run_type, legs, at_us, settled_s=settled_s)

    def deposit(
        self, account: Account, amount: Decimal, at_us: int, extra: Extra = ()
    ) -> list[Run]:
        """Credit a deposit; ``extra`` replaces what is told of where it came from."""
        extra = extra or (
            ("deposit_reference_id", self.identifiers.uuid()),
            ("source", f"0x{self.rng.getrandbits(160):040x}"),
            ("received_address", f"0x{self.rng.getrandbits(160):040x}"),
        )
        leg = Leg(account, amount, "deposit", self.identifiers.uuid(), extra)
        return [self.post("deposit", [leg], at_us)]

    def request_withdrawal(
        self, account: Account, amount: Decimal, at_us: int
    ) -> tuple[str, list[Run]]:
        """Ask for a withdrawal: available down, collateral up; return its id, too."""
        if amount <= ZERO:
            raise LedgerError("the amount of a withdrawal is positive")
        request = self.identifiers.uuid()
        self.withdrawals[request] = PendingWithdrawal(account, amount)
        legs = self._between(
            account,
            account._replace(account_type=COLLATERAL),
            amount,
            "withdrawal_pending",
            self._withdrawal_extra(request),
        )
        return request, [self.post("withdrawal", legs, at_us)]

    def confirm_withdrawal(self, request: str, at_us: int) -> list[Run]:
        """Finish it after a confirmation, in one run.

        Collateral goes down; available goes up and down again by the same amount, and
        is told though nothing is different.
        """
        account, amount = _taken(self.withdrawals, request)
        extra = self._withdrawal_extra(request)
        legs = self._between(
            account._replace(account_type=COLLATERAL),
            account,
            amount,
            "withdrawal_confirmed",
            extra,
        )
        gone = EXACT.minus(amount)
        legs.append(Leg(account, gone, "withdrawal", self.identifiers.uuid(), extra))
        return [self.post("withdrawal", legs, at_us)]

    def cancel_withdrawal(self, request: str, at_us: int) -> list[Run]:
        """Give it up: collateral goes back to available."""
        account, amount = _taken(self.withdrawals, request)
        legs = self._between(
            account._replace(account_type=COLLATERAL),
            account,
            amount,
            "withdrawal_pending",
            self._withdrawal_extra(request),
        )
        return [self.post("withdrawal", legs, at_us)]

    def _withdrawal_extra(self, request: str) -> Extra:
        return (
            ("withdrawal_request_id", request),
            *self._origin(None),
        )

    def _origin(self, parent: str | None) -> Extra:
        if not self.settings.movement_extras:
            return ()
        origins = (None, "rest_api", "sdk", "secondary")
        return (
            ("parent_link_id", parent),
            ("origin", origins[self.rng.getrandbits(2)]),
        )

    def _between(
        self, source: Account, target: Account, amount: Decimal, kind: str, extra: Extra
    ) -> list[Leg]:
        """Return the two legs of a movement, which share an id."""
        movement = self.identifiers.uuid()
        return [
            Leg(source, EXACT.minus(amount), kind, movement, extra),
            Leg(target, amount, kind, movement, extra),
        ]

    def fee(self, account: Account, amount: Decimal, kind: str, at_us: int) -> Run:
        """Take an ``execution_fee`` or a ``network_fee`` in a run of its own."""
        leg = Leg(account, EXACT.minus(amount), kind, self.identifiers.uuid())
        return self.post(kind, [leg], at_us)

    def execute(
        self, base: Account, volume: Decimal, price: Decimal, at_us: int
    ) -> tuple[str, list[Run]]:
        """Trade now and settle later: what is owed becomes payable and receivable.

        Args:
            base: what is traded against the quote asset.
            volume: negative sells.
            price: of one, in the quote asset.
            at_us: the time.

        Returns:
            The trade's id and the run.
        """
        pending = self._trade(base, volume, price)
        trade = self.identifiers.uuid()
        self.trades[trade] = pending
        owed = pending.pays._replace(account_type=PAYABLE)
        due = pending.receives._replace(account_type=RECEIVABLE)
        extra = (("trade_id", trade), *self._origin(trade))
        movement = self.identifiers.uuid()
        legs = [
            Leg(owed, pending.paid, "final_settlement_outstanding", movement, extra),
            Leg(due, pending.received, "final_settlement_outstanding", movement, extra),
        ]
        return trade, [self.post("settlement", legs, at_us)]

    def settle(self, trade: str, at_us: int) -> list[Run]:
        """Settle a trade in one run: the obligations end, available moves."""
        pending = _taken(self.trades, trade)
        minus = EXACT.minus
        extra = (("trade_id", trade), *self._origin(trade))
        movement = self.identifiers.uuid()
        moved = (
            (pending.pays._replace(account_type=PAYABLE), minus(pending.paid)),
            (pending.pays, minus(pending.paid)),
            (
                pending.receives._replace(account_type=RECEIVABLE),
                minus(pending.received),
            ),
            (pending.receives, pending.received),
        )
        legs = [
            Leg(account, change, "final_settlement", movement, extra)
            for account, change in moved
        ]
        return [self.post("settlement", legs, at_us)]

    def trade(
        self,
        base: Account,
        volume: Decimal,
        price: Decimal,
        at_us: int,
        fee_rate: Decimal = FEE_RATE,
    ) -> list[Run]:
        """Trade and settle at once; the fee is a run of its own in the quote asset."""
        pending = self._trade(base, volume, price)
        trade = self.identifiers.uuid()
        extra = (("trade_id", trade), *self._origin(trade))
        movement = self.identifiers.uuid()
        paid = EXACT.minus(pending.paid)
        kind = "final_settlement"
        legs = [
            Leg(pending.pays, paid, kind, movement, extra),
            Leg(pending.receives, pending.received, kind, movement, extra),
        ]
        runs = [self.post("settlement", legs, at_us)]
        quote = base._replace(asset=self.settings.quote)
        worth = pending.paid if pending.pays == quote else pending.received
        fee = self._rounded(EXACT.multiply(worth, fee_rate), quote)
        if fee:
            runs.append(self.fee(quote, fee, "execution_fee", at_us))
        return runs

    def _trade(self, base: Account, volume: Decimal, price: Decimal) -> PendingTrade:
        quote = base._replace(asset=self.settings.quote)
        size = abs(volume)
        worth = self._rounded(EXACT.multiply(size, price), quote)
        if volume > ZERO:
            return PendingTrade(quote, worth, base, size)
        return PendingTrade(base, size, quote, worth)

    def _rounded(self, value: Decimal, account: Account) -> Decimal:
        return round_to_scale(value, self.ledger.assets[account.asset].decimals)

    def transfer(
        self, source: Account, target: Account, amount: Decimal, at_us: int
    ) -> list[Run]:
        """Move an amount between two accounts, of whatever label, type or owner."""
        extra = (
            ("transfer_request_id", self.identifiers.uuid()),
            ("transfer_type", "prefunded"),
            *self._origin(None),
        )
        legs = self._between(source, target, amount, "transfer", extra)
        return [self.post("transfer", legs, at_us)]

    def stake(self, account: Account, amount: Decimal, at_us: int) -> list[Run]:
        """Stake an amount, or with a negative one take it back.

        Where there is no account type ``staked``, it is held as collateral.
        """
        staked = STAKED if STAKED in self.settings.account_types else COLLATERAL
        words = ("stake", "stake_submitted")
        if amount < ZERO:
            words = ("unstake", "unstake_completed")
        extra = (("transfer_type", words[1]), *self._origin(None))
        target = account._replace(account_type=staked)
        legs = self._between(account, target, amount, "transfer", extra)
        return [self.post(words[0], legs, at_us)]

    def reward(self, account: Account, amount: Decimal, at_us: int) -> list[Run]:
        """Credit a reward of staking."""
        extra = (("transfer_type", "reward_distributed"), *self._origin(None))
        leg = Leg(account, amount, "transfer", self.identifiers.uuid(), extra)
        return [self.post("reward_distribution", [leg], at_us)]

    def adjust(
        self,
        account: Account,
        changes: Sequence[Decimal],
        words: tuple[str, str],
        at_us: int,
    ) -> list[Run]:
        """Move one account by signed amounts in one run.

        Args:
            account: which, of any type.
            changes: one movement for each.
            words: type of the run and of its movements, whatever they are.
            at_us: the time.
        """
        run_type, kind = words
        legs = [
            Leg(account, change, kind, self.identifiers.uuid()) for change in changes
        ]
        return [self.post(run_type, legs, at_us)]


def _taken(pending: dict[str, PendingT], name: str) -> PendingT:
    try:
        return pending.pop(name)
    except KeyError:
        raise LedgerError(f"nothing is pending under {name}") from None
