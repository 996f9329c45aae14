"""Plausible random account activity from a seed; it never overdraws a wallet."""

import random
from decimal import Decimal

from balance_simulator.bitfinex.ledger import ZERO, LedgerLine, Wallet
from balance_simulator.bitfinex.operations import Operations
from balance_simulator.exact import CUT, EXACT, cut_to_scale, unit

OPENING = (
    # wallet type, currency, amount; the first rows are those which trade
    ("exchange", "BTC", "1011.19088779"),
    ("exchange", "ETH", "818.550000000000000001"),
    ("exchange", "LTC", "4200.125"),
    ("exchange", "USD", "17128861.61580001"),
    ("exchange", "UST", "5000000.123456789012345"),
    ("exchange", "EUR", "504861.8946"),
    ("exchange", "EUT", "1000.5"),
    ("exchange", "TERRAUST", "250.000000000000001"),
    ("exchange", "TESTUSD", "10000"),
    ("exchange", "DSH", "19.76"),
    # A little left over, a little too little, and nothing any more.
    ("exchange", "XRP", "0.00000271"),
    ("exchange", "JPY", "-0.00000001"),
    ("exchange", "SAN", "0"),
    ("margin", "USD", "10000.25"),
    ("margin", "BTC", "2.5"),
    ("margin", "USTF0", "11.960650700086292"),
    ("margin", "BTCF0", "0.00000057"),
    ("funding", "USD", "1000000.000000000000000019"),
    ("funding", "UST", "25000.123456789012345678"),
    ("funding", "BTC", "0"),
)
_BASES = ("BTC", "ETH", "LTC")
_QUOTES = ("USD", "UST")
_MOVED = ("USD", "UST", "EUR", "BTC", "LTC")
_LENT = ("USD", "UST")
_TRADES = 0.66
_DEPOSITS = 0.76
_WITHDRAWALS = 0.84
_TRANSFERS = 0.92
_COLLATERAL = 0.96


def open_account(operations: Operations, at_us: int) -> list[LedgerLine]:
    """Fund the wallets as ``OPENING`` says."""
    lines: list[LedgerLine] = []
    for kind, code, text in OPENING:
        wallet = operations.wallet(kind, code)
        lines += operations.adjust(wallet, Decimal(text), at_us, ("Opening", ""))
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

    def step(self, at_us: int) -> list[LedgerLine]:
        """Run one random operation: one, two or three lines."""
        drawn = self._rng.random()
        if drawn < _TRADES:
            return self._trade(at_us) or self.single(at_us)
        if drawn < _DEPOSITS:
            return self.single(at_us)
        if drawn < _WITHDRAWALS:
            return self._withdraw(at_us) or self.single(at_us)
        if drawn < _TRANSFERS:
            return self._transfer(at_us) or self.single(at_us)
        if drawn < _COLLATERAL:
            return self._collateral(at_us) or self.single(at_us)
        return self._funding(at_us)

    def single(self, at_us: int) -> list[LedgerLine]:
        """Run one random operation that writes exactly one line."""
        wallet = self._operations.wallet("exchange", self._rng.choice(_MOVED))
        decimals = self._decimals(wallet)
        steps = Decimal(self._rng.randrange(1, 10 ** (decimals + 1)))
        amount = CUT.multiply(steps, unit(decimals))
        return self._operations.deposit(wallet, amount, ZERO, at_us)

    def _decimals(self, wallet: Wallet) -> int:
        return self._operations.ledger.currencies.internal(wallet.currency).decimals

    def _part_of(self, wallet: Wallet) -> Decimal:
        """Draw up to a thousandth of what a wallet holds free, 0 if it holds none."""
        free = self._operations.ledger.available(wallet)
        share = Decimal(self._rng.randrange(1, 1000)).scaleb(-6)
        part = cut_to_scale(CUT.multiply(free, share), self._decimals(wallet))
        return max(part, ZERO)

    def _trade(self, at_us: int) -> list[LedgerLine]:
        base = self._operations.wallet("exchange", self._rng.choice(_BASES))
        quote = self._operations.wallet("exchange", self._rng.choice(_QUOTES))
        currency = self._operations.ledger.currencies.internal(base.currency)
        jitter = Decimal(100_000 + self._rng.randrange(-500, 501)).scaleb(-5)
        price = cut_to_scale(CUT.multiply(Decimal(currency.price), jitter), 2)
        if self._rng.getrandbits(1):
            volume = EXACT.minus(self._part_of(base))
        else:
            budget = self._part_of(quote)
            volume = cut_to_scale(CUT.divide(budget, price), currency.decimals)
        if not volume:
            return []
        return self._operations.trade((base, quote), volume, price, at_us)

    def _withdraw(self, at_us: int) -> list[LedgerLine]:
        wallet = self._operations.wallet("exchange", self._rng.choice(_MOVED))
        amount = self._part_of(wallet)
        fee = cut_to_scale(CUT.multiply(amount, Decimal("0.001")), 18)
        return self._operations.withdraw(wallet, amount, fee, at_us) if amount else []

    def _transfer(self, at_us: int) -> list[LedgerLine]:
        code = self._rng.choice(_LENT)
        source, to = self._rng.sample(("exchange", "margin", "funding"), 2)
        wallet = self._operations.wallet(source, code)
        amount = self._part_of(wallet)
        if not amount:
            return []
        there = wallet._replace(type=to)
        return self._operations.transfer(wallet, there, amount, at_us)

    def _collateral(self, at_us: int) -> list[LedgerLine]:
        into = bool(self._rng.getrandbits(1))
        kind, code = ("exchange", "UST") if into else ("margin", "USTF0")
        amount = self._part_of(self._operations.wallet(kind, code))
        if not amount:
            return []
        signed = amount if into else EXACT.minus(amount)
        return self._operations.collateral(signed, at_us, "USTF0")

    def _funding(self, at_us: int) -> list[LedgerLine]:
        wallet = self._operations.wallet("funding", self._rng.choice(_LENT))
        amount = Decimal(self._rng.randrange(1, 10**12)).scaleb(-15)
        return self._operations.funding(wallet, amount, at_us)
