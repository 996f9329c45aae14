"""What can happen to the account: each operation is one or more lines in the ledger.

The descriptions are shaped as those of the seed page "Wallets" and of captured ledgers:
``Exchange 0.01 BTC for USD @ 7804.6``, then ``Trading fees for 0.01 BTC …``.
"""

import random
from dataclasses import dataclass
from decimal import Decimal

from balance_simulator.bitfinex.frames import compact, number
from balance_simulator.bitfinex.ledger import (
    ZERO,
    Entry,
    Ledger,
    LedgerError,
    LedgerLine,
    Wallet,
)
from balance_simulator.exact import CUT, EXACT, cut_to_scale

FEE_RATE = Decimal("0.002")
_FIRST_ORDER = 34_988_000_000
_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Operations:
    """Writes whole operations; each method returns the lines that it wrote.

    ``at_us`` is the venue's time in microseconds since 1970 (UTC).

    Attributes:
        ledger: the books.
        rng: the seeded source of order and transfer numbers.
    """

    ledger: Ledger
    rng: random.Random

    def wallet(self, kind: str, code: str) -> Wallet:
        """Return the wallet of a type by the currency's code."""
        return Wallet(kind, self.ledger.currencies.find(code).internal)

    def _code(self, wallet: Wallet) -> str:
        return self.ledger.currencies.internal(wallet.currency).code

    def _post(
        self, kind: str, at_us: int, *lines: tuple[Wallet, Decimal, str, str]
    ) -> list[LedgerLine]:
        entries = [
            Entry(wallet, amount, kind, text, meta)
            for wallet, amount, text, meta in lines
        ]
        return self.ledger.post(entries, at_us)

    def deposit(
        self, wallet: Wallet, amount: Decimal, fee: Decimal, at_us: int
    ) -> list[LedgerLine]:
        """Credit a deposit, and take its fee in a line of its own if there is one."""
        mark = f"#{self.rng.randrange(10**7, 10**8)}"
        text = f"Deposit ({self._code(wallet)}) {mark}"
        taken = (wallet, EXACT.minus(fee), f"Deposit Fee {mark}", "")
        return self._post(
            "deposit", at_us, (wallet, amount, text, ""), *([taken] if fee else [])
        )

    def withdraw(
        self, wallet: Wallet, amount: Decimal, fee: Decimal, at_us: int
    ) -> list[LedgerLine]:
        """Take out a positive amount, and its fee in a line of its own."""
        if amount <= ZERO:
            raise LedgerError("the amount of a withdrawal is positive")
        mark = f"#{self.rng.randrange(10**7, 10**8)}"
        text = f"{self._code(wallet)} Withdrawal {mark}"
        taken = (wallet, EXACT.minus(fee), f"Crypto Withdrawal fee {mark}", "")
        return self._post(
            "withdrawal",
            at_us,
            (wallet, EXACT.minus(amount), text, ""),
            *([taken] if fee else []),
        )

    def trade(
        self,
        wallets: tuple[Wallet, Wallet],
        volume: Decimal,
        price: Decimal,
        at_us: int,
        fee_rate: Decimal = FEE_RATE,
    ) -> list[LedgerLine]:
        """Trade: a leg of the base, a leg of the quote, and a fee on what was received.

        Args:
            wallets: of the base and of the quote.
            volume: of the base; negative sells.
            price: quote units for one base unit.
            at_us: venue time.
            fee_rate: part of what was received, cut to 18 decimals; 0 writes no line.
        """
        base, quote = wallets
        cost = cut_to_scale(CUT.multiply(volume, price), 18)
        received, amount = (
            (base, volume) if volume > ZERO else (quote, EXACT.minus(cost))
        )
        codes = self._code(base), self._code(quote)
        size, at = number(EXACT.abs(volume)), number(price)
        text = f"Exchange {size} {codes[0]} for {codes[1]} @ {at}"
        meta = self._trade_meta(volume, price)
        fee = cut_to_scale(CUT.multiply(EXACT.abs(amount), fee_rate), 18)
        percent = number(CUT.multiply(fee_rate, _PERCENT))
        fee_text = (
            f"Trading fees for {size} {codes[0]} ({''.join(codes)}) @ {at} on BFX "
            f"({percent}%)"
        )
        lines = [
            (base, volume, text, meta),
            (quote, EXACT.minus(cost), text, meta),
            (received, EXACT.minus(fee), fee_text, ""),
        ]
        return self._post("trade", at_us, *(lines if fee else lines[:2]))

    def _trade_meta(self, volume: Decimal, price: Decimal) -> str:
        order = self.rng.randrange(_FIRST_ORDER, _FIRST_ORDER * 2)
        return compact(
            {
                "reason": "TRADE",
                "order_id": order,
                "order_id_oppo": order + self.rng.randrange(1, 10**7),
                "trade_price": number(price),
                "trade_amount": number(volume),
                "order_cid": order % 10**10,
                "order_gid": None,
            }
        )

    def transfer(
        self, source: Wallet, to: Wallet, amount: Decimal, at_us: int
    ) -> list[LedgerLine]:
        """Move between two wallets of one currency, or of it and its collateral."""
        if amount <= ZERO:
            raise LedgerError("the amount of a transfer is positive")
        code = self._code(source)
        names = source.type.title(), to.type.title()
        text = f"Transfer of {number(amount)} {code} from wallet {' to '.join(names)}"
        return self._post(
            "transfer",
            at_us,
            (source, EXACT.minus(amount), text, ""),
            (to, amount, text, ""),
        )

    def collateral(self, amount: Decimal, at_us: int, code: str) -> list[LedgerLine]:
        """Move money into derivative collateral; negative takes it back.

        UST of the wallet exchange becomes USTF0 of the wallet margin.
        """
        currencies = self.ledger.currencies
        derived = currencies.find(code)
        there = Wallet("margin", derived.internal)
        back = self.wallet("exchange", derived.underlying or code)
        if amount < ZERO:
            return self.transfer(there, back, EXACT.abs(amount), at_us)
        return self.transfer(back, there, amount, at_us)

    def funding(self, wallet: Wallet, amount: Decimal, at_us: int) -> list[LedgerLine]:
        """Pay interest of margin funding."""
        text = "Margin Funding Payment"
        return self._post("funding", at_us, (wallet, amount, text, ""))

    def adjust(
        self, wallet: Wallet, amount: Decimal, at_us: int, words: tuple[str, str]
    ) -> list[LedgerLine]:
        """Write any line: ``words`` are its description and its meta as JSON text."""
        return self._post("adjust", at_us, (wallet, amount, *words))
