"""Kraken's asset codes in our words.

The authority is ``GET /0/public/Assets``: asked twice, once with ``assetVersion=1``,
and joined on ``altname``, it gives for each internal code (``XXBT``) the display name
(``BTC``) that the WebSocket API uses too (docs, "Get Asset Info"). A static table
serves until it is there. Nothing is stripped by guess: ``XTZ`` and ``ZRX`` are whole
names. A suffix after the last dot names a wallet only if it is one of those documented
for ``Balance`` (docs, "Get Account Balance"; support article 360039879471).
"""

from collections.abc import Mapping
from typing import NamedTuple

LEGACY = {
    "XBT": "BTC",
    "XDG": "DOGE",
    "XETC": "ETC",
    "XETH": "ETH",
    "XLTC": "LTC",
    "XMLN": "MLN",
    "XREP": "REP",
    "XXBT": "BTC",
    "XXDG": "DOGE",
    "XXLM": "XLM",
    "XXMR": "XMR",
    "XXRP": "XRP",
    "XZEC": "ZEC",
    "ZAUD": "AUD",
    "ZCAD": "CAD",
    "ZEUR": "EUR",
    "ZGBP": "GBP",
    "ZJPY": "JPY",
    "ZUSD": "USD",
}
"""Internal codes and altnames that differ from the display name; until the join."""

_PLAIN = frozenset(
    {"ADA", "ALGO", "ATOM", "BCH", "CHF", "DAI", "DOT", "ETH2", "FLOW", "GRT", "KAVA"}
    | {"KFEE", "KSM", "MATIC", "SCRT", "SOL", "TRX", "USDC", "USDT", "XTZ"}
)
"""Codes that are their own display name: enough to read terms of staking by."""

_SUFFIX_WALLETS = {
    "B": "earn",
    "F": "earn",
    "HOLD": "hold",
    "M": "earn",
    "P": "earn",
    "S": "earn",
    "T": "spot",
}
_TERM_DIGITS = 2


class AssetName(NamedTuple):
    """A code of REST ``Balance`` in our words.

    Attributes:
        asset: canonical code.
        wallet: kind of pocket.
        wallet_id: the venue's word for it.
        asset_class: ``currency`` or ``tokenized_asset``.
        mapped: False where no table knows the code: it is passed through as sent.
    """

    asset: str
    wallet: str
    wallet_id: str
    asset_class: str
    mapped: bool


class AssetNames:
    """The tables at hand.

    Args:
        aliases: code → asset, set by the user; they win over everything.
        join: code → display name, of internal codes and altnames; while unknown, of
            the balances that were told before.
    """

    def __init__(
        self, aliases: Mapping[str, str], join: Mapping[str, str] | None = None
    ) -> None:
        self._aliases = aliases
        self._table: dict[str, str] = {name: name for name in _PLAIN}
        self._table |= {name: name for name in LEGACY.values()}
        self._table |= LEGACY
        self._table |= join or {}
        self._table |= aliases

    def display(self, code: str) -> str:
        """Return the canonical asset of a code of the stream, which has no suffixes."""
        return self._aliases.get(code) or LEGACY.get(code, code)

    def of_balance(self, code: str) -> AssetName:
        """Return what a code of REST ``Balance`` stands for."""
        base, _, suffix = code.rpartition(".")
        wallet = _SUFFIX_WALLETS.get(suffix)
        if not base or wallet is None or code in self._aliases:
            asset = self._table.get(code)
            return AssetName(asset or code, "spot", "main", "currency", bool(asset))
        asset, term, mapped = self._base(base)
        match suffix:
            case "T":
                return AssetName(asset, "spot", "main", "tokenized_asset", mapped=True)
            case "F":
                return AssetName(asset, wallet, f"{term}liquid", "currency", mapped)
        return AssetName(asset, wallet, f"{term}{suffix}", "currency", mapped)

    def _base(self, base: str) -> tuple[str, str, bool]:
        """Return the asset before a suffix, its term in days or "", whether known.

        Two digits are a term (``DOT28.S``) only if what is left is a known asset and
        the whole is none (``ETH2.S``).
        """
        if base in self._table:
            return self._table[base], "", True
        head, digits = base[:-_TERM_DIGITS], base[-_TERM_DIGITS:]
        if head in self._table and digits.isascii() and digits.isdigit():
            return self._table[head], f"{digits}.", True
        return base, "", False


def named_part(code: str, asset: str, wallet: str, wallet_id: str) -> str:
    """Return the part of a code that stands for the asset: ``DOT`` of ``DOT28.S``.

    Where the suffix does not make the wallet (an alias of the whole, a code of the
    stream), that is all of it.

    Args:
        code: of a balance.
        asset: that it was told under.
        wallet: likewise.
        wallet_id: likewise.
    """
    base, _, suffix = code.rpartition(".")
    if not base or suffix not in _SUFFIX_WALLETS or asset == code:
        return code
    term, _, _ = wallet_id.rpartition(".")
    part = base.removesuffix(term)
    name = AssetNames({}, {part: asset}).of_balance(code)
    return part if name[:3] == (asset, wallet, wallet_id) else code


def join(internal: Mapping[str, str], display: Mapping[str, str]) -> dict[str, str]:
    """Return code → display name from the two answers of ``Assets``.

    Args:
        internal: internal code → altname, from the plain call.
        display: display name → altname, from the call with ``assetVersion=1``.

    Returns:
        An entry for every internal code and altname whose display name is known; of
        equal codes, internal ones win.
    """
    by_altname = {altname: name for name, altname in display.items()}
    joined = {name: name for name in display}
    joined |= by_altname
    joined |= {
        code: by_altname[altname]
        for code, altname in internal.items()
        if altname in by_altname
    }
    return joined
