"""Plausible random activity from a seed; it never overdraws an available account."""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

from balance_simulator.exact import CUT, EXACT, cut_to_scale, unit
from balance_simulator.zerohash.ledger import ZERO, Account, Run
from balance_simulator.zerohash.operations import (
    AVAILABLE,
    COLLATERAL,
    PAYABLE,
    RECEIVABLE,
    STAKED,
    Operations,
)

OPENING = (
    # asset ("" is the quote asset), account type, amount
    ("", AVAILABLE, "17128861.61"),
    ("", COLLATERAL, "250000.00"),
    ("", PAYABLE, "1234.56"),
    ("", "collateral_deficiency", "10.00"),
    ("BTC", AVAILABLE, "12.50000000"),
    ("BTC", RECEIVABLE, "0.25000000"),
    ("ETH", AVAILABLE, "818.550000000000000000"),
    ("ETH", STAKED, "32.000000000000000001"),
    ("ETH.ARBITRUM", AVAILABLE, "4.200000000000000000"),
    ("SOL", AVAILABLE, "4200.125000000"),
    ("SOL", STAKED, "77.777777777"),
    ("MATIC.POLYGON", AVAILABLE, "123456789.123456789012345678"),
    ("USDC.ETH", AVAILABLE, "250000.000000"),
    ("USDC.SOL", AVAILABLE, "1360000.000000"),
    ("USDC.POLYGON", AVAILABLE, "5091.100000"),
    ("USDT.ETH", AVAILABLE, "500000.123456"),
)
_BASES = ("BTC", "ETH", "SOL", "MATIC.POLYGON")
_MOVED = ("BTC", "ETH", "SOL", "USDC.ETH", "USDC.SOL", "USDT.ETH")
_STAKED = ("ETH", "SOL")
_LABELS = ("general", "trading")


def open_account(
    operations: Operations,
    code: str,
    group: str,
    at_us: int,
    share: Decimal = Decimal(1),
) -> list[Run]:
    """Fund a participant as ``OPENING`` says, each amount times ``share``."""
    runs: list[Run] = []
    settings, ledger = operations.settings, operations.ledger
    for name, kind, text in OPENING:
        asset = ledger.assets.find(name or settings.quote)
        known = kind if kind in settings.account_types else COLLATERAL
        account = Account(code, group, "general", known, asset.code)
        amount = cut_to_scale(EXACT.multiply(Decimal(text), share), asset.decimals)
        runs += operations.deposit(account, amount, at_us)
    return runs


class RandomTraffic:
    """Draws one operation after another.

    Args:
        operations: what writes them.
        rng: the seeded source of everything drawn; time is an argument of ``step``.
    """

    def __init__(self, operations: Operations, rng: random.Random) -> None:
        self._operations = operations
        self._rng = rng
        draws: tuple[tuple[int, Callable[[Account, int], list[Run]]], ...] = (
            (40, self._trade),
            (8, self._execute),
            (12, self._withdraw),
            (16, self._transfer),
            (4, self._network_fee),
            (6, self._stake),
            (3, self._reward),
            (11, self._deposit),
        )
        self._draws = [draw for _, draw in draws]
        self._weights = [weight for weight, _ in draws]

    def step(self, owners: Sequence[tuple[str, str]], at_us: int) -> list[Run]:
        """Run one random operation, or finish one that was left pending.

        Args:
            owners: participant and group of those whose accounts may move.
            at_us: the time.
        """
        code, group = self._rng.choice(owners)
        account = Account(code, group, "general", AVAILABLE, "BTC")
        (draw,) = self._rng.choices(self._draws, self._weights)
        return draw(account, at_us) or self._deposit(account, at_us)

    def single(self, owners: Sequence[tuple[str, str]], at_us: int) -> list[Run]:
        """Run one random operation that touches exactly one account."""
        code, group = self._rng.choice(owners)
        return self._deposit(Account(code, group, "general", AVAILABLE, "BTC"), at_us)

    def _of(self, account: Account, names: Sequence[str]) -> Account:
        asset = self._operations.ledger.assets.find(self._rng.choice(names))
        return account._replace(asset=asset.code)

    def _part_of(self, account: Account) -> Decimal:
        """Draw up to a thousandth of what an account holds, at the asset's scale."""
        ledger = self._operations.ledger
        drawn = Decimal(self._rng.randrange(1, 1000)).scaleb(-6)
        part = CUT.multiply(ledger.balance(account), drawn)
        return cut_to_scale(part, ledger.assets[account.asset].decimals)

    def _order(self, account: Account) -> tuple[Account, Decimal, Decimal]:
        """Draw what to trade: account, signed volume and price."""
        ledger = self._operations.ledger
        base = self._of(account, _BASES)
        jitter = Decimal(100_000 + self._rng.randrange(-500, 501)).scaleb(-5)
        price = CUT.multiply(Decimal(ledger.assets[base.asset].price), jitter)
        if self._rng.getrandbits(1):
            return base, CUT.minus(self._part_of(base)), price
        quote = account._replace(asset=self._operations.settings.quote)
        volume = CUT.divide(self._part_of(quote), price)
        return base, cut_to_scale(volume, ledger.assets[base.asset].decimals), price

    def _trade(self, account: Account, at_us: int) -> list[Run]:
        base, volume, price = self._order(account)
        return self._operations.trade(base, volume, price, at_us) if volume else []

    def _execute(self, account: Account, at_us: int) -> list[Run]:
        trades = self._operations.trades
        if trades and self._rng.getrandbits(1):
            return self._operations.settle(next(iter(trades)), at_us)
        base, volume, price = self._order(account)
        return self._operations.execute(base, volume, price, at_us)[1] if volume else []

    def _deposit(self, account: Account, at_us: int) -> list[Run]:
        account = self._of(account, _MOVED)
        decimals = self._operations.ledger.assets[account.asset].decimals
        steps = Decimal(self._rng.randrange(1, 10 ** (decimals + 1)))
        amount = CUT.multiply(steps, unit(decimals))
        return self._operations.deposit(account, amount, at_us)

    def _withdraw(self, account: Account, at_us: int) -> list[Run]:
        pending = self._operations.withdrawals
        if pending and self._rng.getrandbits(1):
            request = next(iter(pending))
            if self._rng.randrange(8):
                return self._operations.confirm_withdrawal(request, at_us)
            return self._operations.cancel_withdrawal(request, at_us)
        account = self._of(account, _MOVED)
        amount = self._part_of(account)
        if not amount:
            return []
        return self._operations.request_withdrawal(account, amount, at_us)[1]

    def _transfer(self, account: Account, at_us: int) -> list[Run]:
        account = self._of(account, _MOVED)
        labels = _LABELS if self._rng.getrandbits(1) else _LABELS[::-1]
        source, target = (account._replace(account_label=label) for label in labels)
        amount = self._operations.ledger.balance(source)
        # A label is emptied now and then: its row is gone from pictures after that.
        if source.account_label == _LABELS[0] or self._rng.getrandbits(1):
            amount = self._part_of(source)
        if amount <= ZERO:
            return []
        return self._operations.transfer(source, target, amount, at_us)

    def _network_fee(self, account: Account, at_us: int) -> list[Run]:
        account = self._of(account, _MOVED)
        amount = self._part_of(account)
        if not amount:
            return []
        return [self._operations.fee(account, amount, "network_fee", at_us)]

    def _stake(self, account: Account, at_us: int) -> list[Run]:
        account = self._of(account, _STAKED)
        kinds = self._operations.settings.account_types
        if STAKED in kinds and self._rng.getrandbits(1):
            staked = self._part_of(account._replace(account_type=STAKED))
            amount = CUT.minus(staked)
        else:
            amount = self._part_of(account)
        return self._operations.stake(account, amount, at_us) if amount else []

    def _reward(self, account: Account, at_us: int) -> list[Run]:
        account = self._of(account, _STAKED)
        amount = Decimal(self._rng.randrange(1, 100_000)).scaleb(-9)
        return self._operations.reward(account, amount, at_us)
