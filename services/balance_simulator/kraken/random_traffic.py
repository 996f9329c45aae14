"""Plausible random account activity from a seed; it never overdraws a wallet."""

import random
from collections.abc import Sequence
from decimal import Decimal

from balance_simulator.exact import CUT, EXACT, cut_to_scale, unit
from balance_simulator.kraken.ledger import ZERO, LedgerLine, Wallet
from balance_simulator.kraken.operations import Operations

OPENING = (
    # asset, wallet type, wallet id, amount; the first rows are those which trade
    ("BTC", "spot", "main", "1011.1908877900"),
    ("ETH", "spot", "main", "818.5500000000"),
    ("SOL", "spot", "main", "4200.1250000000"),
    ("DOT", "spot", "main", "25000.5000000000"),
    ("XTZ", "spot", "main", "81234.56789012"),
    ("SIM18", "spot", "main", "123456789.123456789012345678"),
    ("USD", "spot", "main", "17128861.6158"),
    ("USDT", "spot", "main", "5000000.00000000"),
    ("EUR", "spot", "main", "504861.8946"),
    ("USDC", "spot", "main", "250000.00000000"),
    ("DAI", "spot", "main", "9999.9999999999"),
    ("DOGE", "spot", "main", "1000000.12345678"),
    ("KFEE", "spot", "main", "500000.00"),
    ("BTC", "earn", "liquid", "0.0003102764"),
    ("ETH", "earn", "liquid", "12.0000000001"),
    ("DOT", "earn", "bonded", "300.2500000000"),
    ("DOT", "earn", "liquid", "2.5000000000"),
    ("SOL", "earn", "flexible", "1.0000000000"),
    ("ATOM", "earn", "locked", "77.77777777"),
    ("MATIC", "spot", "main", "300.0000000000"),
    ("MATIC", "earn", "flex", "200.0000000000"),
    ("ETH2", "spot", "main", "2.5885574330"),
    ("ETH2", "earn", "flex", "198.3970800000"),
    ("USD", "earn", "flex", "1213029.2780"),
    ("AAPLx", "spot", "main", "10.2500000000"),
)
_BASES = ("BTC", "ETH", "SOL", "DOT", "XTZ", "SIM18")
_QUOTES = ("USD", "USDT")
_MOVED = ("USD", "USDT", "EUR", "USDC", "DAI", "DOGE", "BTC")
_EARNING = ("BTC", "ETH", "DOT")
_TRADES = 0.74
_DEPOSITS = 0.84
_WITHDRAWALS = 0.91
_ALLOCATIONS = 0.95
_REWARDS = 0.98


def open_account(
    operations: Operations, user: str, at_us: int, share: Decimal = Decimal(1)
) -> list[LedgerLine]:
    """Fund a user's wallets as ``OPENING`` says, each amount times ``share``."""
    lines: list[LedgerLine] = []
    for asset, kind, wallet_id, text in OPENING:
        wallet = operations.wallet(user, asset, (kind, wallet_id))
        decimals = operations.ledger.assets.internal(wallet.asset).decimals
        amount = cut_to_scale(EXACT.multiply(Decimal(text), share), decimals)
        lines += operations.deposit(wallet, amount, ZERO, at_us)
    return lines


class RandomTraffic:
    """Draws one operation after another.

    Args:
        operations: what writes them.
        rng: the seeded source of everything drawn; time is an argument of ``step``.
    """

    def __init__(self, operations: Operations, rng: random.Random) -> None:
        self._operations = operations
        self._rng = rng

    def step(self, users: Sequence[str], at_us: int) -> list[LedgerLine]:
        """Run one random operation for one of the users: one, two or three lines."""
        user = self._rng.choice(users)
        drawn = self._rng.random()
        if drawn < _TRADES:
            return self._trade(user, at_us) or self._deposit(user, at_us)
        if drawn < _DEPOSITS:
            return self._deposit(user, at_us)
        if drawn < _WITHDRAWALS:
            return self._withdraw(user, at_us) or self._deposit(user, at_us)
        if drawn < _ALLOCATIONS:
            return self._allocate(user, at_us) or self._deposit(user, at_us)
        if drawn < _REWARDS:
            return self._reward(user, at_us)
        return self._fee(user, at_us) or self._deposit(user, at_us)

    def single(self, users: Sequence[str], at_us: int) -> list[LedgerLine]:
        """Run one random operation that writes exactly one line."""
        return self._deposit(self._rng.choice(users), at_us)

    def _part_of(self, wallet: Wallet) -> Decimal:
        """Draw up to a thousandth of what a wallet holds, at the asset's scale."""
        ledger = self._operations.ledger
        part = CUT.multiply(
            ledger.balance(wallet), Decimal(self._rng.randrange(1, 1000)).scaleb(-6)
        )
        return cut_to_scale(part, ledger.assets.internal(wallet.asset).decimals)

    def _price(self, base: str) -> Decimal:
        price = Decimal(self._operations.ledger.assets.find(base).price)
        jitter = Decimal(100_000 + self._rng.randrange(-500, 501)).scaleb(-5)
        return cut_to_scale(CUT.multiply(price, jitter), 4)

    def _trade(self, user: str, at_us: int) -> list[LedgerLine]:
        base, quote = self._rng.choice(_BASES), self._rng.choice(_QUOTES)
        price = self._price(base)
        wallet = self._operations.wallet(user, base)
        if self._rng.getrandbits(1):
            volume = CUT.minus(self._part_of(wallet))
        else:
            budget = self._part_of(self._operations.wallet(user, quote))
            decimals = self._operations.ledger.assets.internal(wallet.asset).decimals
            volume = cut_to_scale(CUT.divide(budget, price), decimals)
        if not volume:
            return []
        return self._operations.trade(user, base, quote, volume, price, at_us)

    def _deposit(self, user: str, at_us: int) -> list[LedgerLine]:
        wallet = self._operations.wallet(user, self._rng.choice(_MOVED))
        decimals = self._operations.ledger.assets.internal(wallet.asset).decimals
        steps = Decimal(self._rng.randrange(1, 10 ** (decimals + 1)))
        amount = CUT.multiply(steps, unit(decimals))
        fee = CUT.multiply(Decimal(self._rng.randrange(2)), unit(decimals))
        return self._operations.deposit(wallet, amount, fee, at_us)

    def _withdraw(self, user: str, at_us: int) -> list[LedgerLine]:
        wallet = self._operations.wallet(user, self._rng.choice(_MOVED))
        amount = self._part_of(wallet)
        fee = cut_to_scale(CUT.multiply(amount, Decimal("0.001")), -_exponent(amount))
        return self._operations.withdraw(wallet, amount, fee, at_us) if amount else []

    def _allocate(self, user: str, at_us: int) -> list[LedgerLine]:
        wallet = self._operations.wallet(user, self._rng.choice(_EARNING))
        amount = self._part_of(wallet)
        if not amount:
            return []
        return self._operations.allocate(wallet, amount, at_us)

    def _reward(self, user: str, at_us: int) -> list[LedgerLine]:
        names = ("earn", "liquid")
        wallet = self._operations.wallet(user, self._rng.choice(_EARNING), names)
        amount = Decimal(self._rng.randrange(1, 100_000)).scaleb(-10)
        return self._operations.reward(wallet, amount, at_us)

    def _fee(self, user: str, at_us: int) -> list[LedgerLine]:
        wallet = self._operations.wallet(user, "KFEE")
        fee = self._part_of(wallet)
        return self._operations.fee(wallet, fee, at_us) if fee else []


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise TypeError(f"{value} is not a finite number")
    return exponent
