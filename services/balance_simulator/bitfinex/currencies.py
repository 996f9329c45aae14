"""The currencies that the venue lists, and the public maps about them.

Source: ``/v2/conf/pub:map:currency:sym`` (code → usual symbol, in mixed case:
``USDt``), ``:undl`` (collateral → underlying), ``:pool`` (code → network) and
``pub:list:currency``.
``UST`` is Tether here, and ``TERRAUST`` what others call UST.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency.

    Attributes:
        internal: the name in the books, which never changes.
        code: the name on the wire.
        symbol: what the venue's map calls it; "" where the map has no row for it.
        underlying: what a collateral currency stands for; "" for others.
        pool: the network that the venue's map names; "".
        decimals: digits of the amounts that random traffic draws.
        price: dollars for one unit, used to draw plausible random trades only.
    """

    internal: str
    code: str
    symbol: str = ""
    underlying: str = ""
    pool: str = ""
    decimals: int = 8
    price: str = "1"


def _currency(
    code: str, symbol: str = "", decimals: int = 8, price: str = "1", pool: str = ""
) -> Currency:
    return Currency(code, code, symbol, "", pool, decimals, price)


def _collateral(code: str, underlying: str, symbol: str = "") -> Currency:
    return Currency(code, code, symbol, underlying, "", 15)


LISTED = (
    _currency("BTC", price="26600"),
    _currency("ETH", decimals=18, price="1600"),
    _currency("LTC", price="65"),
    _currency("XRP", price="0.5"),
    _currency("USD"),
    _currency("EUR", price="1.06"),
    _currency("JPY", price="0.0067"),
    _currency("UST", "USDt", 15),
    _currency("UDC", "USDC", pool="ETH"),
    _currency("EUT", "EURt", price="1.06", pool="ETH"),
    _currency("DSH", "DASH", price="30"),
    _currency("IOT", "IOTA", price="0.2"),
    _currency("SAN", pool="ETH"),
    _currency("TERRAUST", decimals=15, price="0.02"),
    _currency("TESTUSD"),
    _currency("TESTBTC", price="26600"),
    _collateral("USTF0", "UST", "USDt0"),
    _collateral("BTCF0", "BTC"),
    _collateral("EUTF0", "EUT"),
)


class UnknownCurrencyError(ValueError):
    """The venue lists no currency of that name."""


class CurrencyList:
    """All currencies of the venue, found by code or by their name in the books."""

    def __init__(self, currencies: tuple[Currency, ...] = LISTED) -> None:
        self._by_internal: dict[str, Currency] = {}
        self._internal_by_code: dict[str, str] = {}
        for currency in currencies:
            self.add(currency)

    def __iter__(self) -> Iterator[Currency]:
        """Go through the currencies in the order in which they were listed."""
        return iter(self._by_internal.values())

    def add(self, currency: Currency) -> None:
        """List a currency, or replace the one with the same name in the books."""
        self._by_internal[currency.internal] = currency
        self._internal_by_code.setdefault(currency.internal, currency.internal)
        self._internal_by_code[currency.code] = currency.internal

    def internal(self, internal: str) -> Currency:
        """Return the currency with this name in the books, which must be listed."""
        return self._by_internal[internal]

    def find(self, code: str) -> Currency:
        """Return the currency with this code, or this name in the books.

        Raises:
            UnknownCurrencyError: when there is none.
        """
        try:
            return self._by_internal[self._internal_by_code[code]]
        except KeyError:
            raise UnknownCurrencyError(
                f"the venue lists no currency {code!r}"
            ) from None

    def rename(self, code: str, to: str) -> Currency:
        """Give a currency another code, from now on and for its history too."""
        currency = replace(self.find(code), code=to)
        self.add(currency)
        return currency

    def map(self, code: str, symbol: str) -> Currency:
        """Give a currency another symbol in the venue's map; "" takes it out."""
        currency = replace(self.find(code), symbol=symbol)
        self.add(currency)
        return currency


def _pairs(
    value: Callable[[Currency], str],
) -> Callable[[CurrencyList], list[list[str]] | list[str]]:
    return lambda listed: [[c.code, value(c)] for c in listed if value(c)]


MAPS: Mapping[str, Callable[[CurrencyList], list[list[str]] | list[str]]] = {
    "pub:list:currency": lambda listed: [currency.code for currency in listed],
    "pub:map:currency:sym": _pairs(lambda currency: currency.symbol),
    "pub:map:currency:undl": _pairs(lambda currency: currency.underlying),
    "pub:map:currency:pool": _pairs(lambda currency: currency.pool),
}
"""Key of ``/v2/conf`` → its list."""
