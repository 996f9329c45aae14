"""Bitfinex's currency codes in our words.

The authority is ``GET /v2/conf/…`` (page "Configs"): ``pub:map:currency:sym`` gives the
usual symbol of a code (``UST`` is ``USDt``), ``pub:map:currency:undl`` the currency
that a derivative's collateral is in (``USTF0`` is in ``UST``), ``pub:list:currency``
all codes. The user's aliases win over it; a static table serves until it is there, and
for the codes that it leaves out. Codes are looked up whole: ``TERRAUST`` is TerraUSD,
``UST`` is Tether, and neither is part of the other.

One rule is ours: the venue writes Tether's tokens with a small t (``USDt``, ``EURt``,
``CNHt``, ``XAUt``), others write ``USDT``. A symbol whose only small letter is a t at
its end is written in capitals; any other is taken as told.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

SYMBOLS = {
    "ABS": "ABYSS",
    "AIO": "AION",
    "ALG": "ALGO",
    "AMP": "AMPL",
    "ATO": "ATOM",
    "BAB": "BCH",
    "BCHABC": "XEC",
    "BCHN": "BCH",
    "CNHT": "CNHt",
    "CSX": "CS",
    "CTX": "CTXC",
    "DAD": "EDGE",
    "DAT": "DATA",
    "DOG": "MDOGE",
    "DRN": "DRGN",
    "DSH": "DASH",
    "DTX": "DT",
    "EDO": "PNT",
    "EUS": "EURS",
    "EUT": "EURt",
    "GSD": "GUSD",
    "IDX": "ID",
    "IOS": "IOST",
    "IOT": "IOTA",
    "IQX": "IQ",
    "LBT": "LBTC",
    "LES": "LEO-EOS",
    "LET": "LEO-ERC20",
    "LUNA": "LUNC",
    "LUNA2": "LUNA",
    "MIT": "MITH",
    "MNA": "MANA",
    "NCA": "NCASH",
    "OMN": "OMNI",
    "PAS": "PASS",
    "POY": "POLY",
    "QSH": "QASH",
    "QTM": "QTUM",
    "RBT": "RBTC",
    "SCR": "XD",
    "SNG": "SNGLS",
    "SPK": "SPANK",
    "STJ": "STORJ",
    "TERRAUST": "USTC",
    "TSD": "TUSD",
    "UDC": "USDC",
    "USK": "USDK",
    "UST": "USDt",
    "UTN": "UTNP",
    "VSY": "VSYS",
    "WAX": "WAXP",
    "WBT": "WBTC",
    "XCH": "XCHF",
    "YGG": "YEED",
    "YYW": "YOYOW",
    "ZBT": "ZB",
}
"""Codes that differ from the usual symbol: the venue's own map as captured, and what
ccxt adds to it (``TERRAUST``, ``LUNA``, and the like)."""

UNDERLYINGS = {"BTCF0": "BTC", "ETHF0": "ETH", "EUTF0": "EUT", "USTF0": "UST"}
"""Codes of collateral: the venue's own map as captured, and ``EUTF0`` (ccxt)."""

_PLAIN = frozenset(
    {"ADA", "AVAX", "BTC", "CHF", "DAI", "DOGE", "DOT", "EOS", "ETC", "ETH", "EUR"}
    | {"GBP", "JPY", "LEO", "LINK", "LTC", "MATIC", "SAN", "SHIB", "SOL", "TRX"}
    | {"UNI", "USD", "XAUT", "XLM", "XMR", "XRP", "XTZ", "ZEC", "ZRX"}
)
"""Common codes that are their own symbol."""

_tether = re.compile(r"[A-Z]+t").fullmatch


class Maps(NamedTuple):
    """What the venue told of its codes.

    Attributes:
        symbols: code → usual symbol, where it differs.
        underlyings: code of collateral → code that it is in.
        codes: codes that the venue lists.
    """

    symbols: Mapping[str, str] = {}
    underlyings: Mapping[str, str] = {}
    codes: frozenset[str] = frozenset()


class AssetName(NamedTuple):
    """A code in our words.

    Attributes:
        asset: canonical code.
        derivative: whether it is collateral of derivatives.
        mapped: False where no list knows the code: it is passed through as sent.
    """

    asset: str
    derivative: bool
    mapped: bool


class AssetNames:
    """The tables at hand.

    Args:
        aliases: code → asset, set by the user; they win over everything.
        maps: what the venue told; empty while unknown.
    """

    def __init__(self, aliases: Mapping[str, str], maps: Maps | None = None) -> None:
        maps = maps or Maps()
        self._aliases = aliases
        self._symbols = SYMBOLS | dict(maps.symbols)
        self._underlyings = UNDERLYINGS | dict(maps.underlyings)
        self._codes = maps.codes | self._symbols.keys() | _PLAIN
        self._names: dict[str, AssetName] = {}

    def of(self, code: str) -> AssetName:
        """Return what a code stands for."""
        name = self._names.get(code)
        if name is None:
            name = self._names[code] = self._look_up(code)
        return name

    def _look_up(self, code: str) -> AssetName:
        underlying = self._underlyings.get(code) if code.endswith("F0") else None
        asset = self._aliases.get(code) or self._symbol(underlying or code)
        mapped = underlying is not None or code in self._aliases or code in self._codes
        return AssetName(asset, underlying is not None, mapped)

    def _symbol(self, code: str) -> str:
        if alias := self._aliases.get(code):
            return alias
        symbol = self._symbols.get(code, code)
        return symbol.upper() if _tether(symbol) else symbol
