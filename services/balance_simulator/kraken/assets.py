"""The assets that the venue lists, with the three names that each of them has.

Source: "Get Asset Info" (``/0/public/Assets``): the plain call is keyed by the internal
name (``XXBT``), ``assetVersion=1`` by the display name (``BTC``), and ``altname``
(``XBT``) is the same in both. WebSocket v2 speaks display names. Suffixes of the REST
balance codes hang off the altname (``XBT.F``), never off the internal name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

# Kraken Rewards is `.F`, the newer yield products `.B` (page "Get Account Balance").
_SUFFIXES = {"liquid": ".F", "bonded": ".B", "flexible": ".B", "locked": ".B"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Attributes:
        internal: the key of ``/0/public/Assets``, such as ``XXBT``.
        altname: the key's other name, such as ``XBT``.
        display: the name on WebSocket v2, such as ``BTC``.
        decimals: digits after the point in every amount of this asset.
        display_decimals: digits which the venue shows to people.
        kind: ``currency`` or ``tokenized_asset``.
        fiat: whether it is money of a state (decides the suffix of opt-in rewards).
        multiplier: shares behind one token of a tokenized asset; 1 for all others.
        price: dollars for one unit, used to draw plausible random trades only.
    """

    internal: str
    altname: str
    display: str
    decimals: int
    display_decimals: int = 5
    kind: str = "currency"
    fiat: bool = False
    multiplier: Decimal = Decimal(1)
    price: str = "1"

    def rest_code(self, wallet_type: str, wallet_id: str) -> str:
        """Name one wallet of this asset as the REST balance does.

        Legacy positions (wallet ``flex``) are opt-in rewards ``.M`` for fiat money and
        staked ``.S`` for coins.
        """
        if self.kind == "tokenized_asset":
            return f"{self.altname}.T"
        if wallet_type == "spot":
            return self.internal
        legacy = ".M" if self.fiat else ".S"
        return self.altname + _SUFFIXES.get(wallet_id, legacy)


def _plain(name: str, decimals: int, price: str) -> Asset:
    return Asset(name, name, name, decimals, price=price)


def _fiat(name: str, price: str) -> Asset:
    return Asset(f"Z{name}", name, name, 4, 2, fiat=True, price=price)


LISTED = (
    Asset("XXBT", "XBT", "BTC", 10, price="26600"),
    Asset("XXDG", "XDG", "DOGE", 8, 2, price="0.06"),
    Asset("XETH", "ETH", "ETH", 10, price="1600"),
    Asset("XETC", "ETC", "ETC", 10, price="15"),
    Asset("XLTC", "LTC", "LTC", 10, price="65"),
    Asset("XXLM", "XLM", "XLM", 8, price="0.11"),
    Asset("XXMR", "XMR", "XMR", 10, price="145"),
    Asset("XXRP", "XRP", "XRP", 8, price="0.5"),
    Asset("XZEC", "ZEC", "ZEC", 10, price="26"),
    _fiat("USD", "1"),
    _fiat("EUR", "1.06"),
    _fiat("GBP", "1.22"),
    _fiat("CAD", "0.74"),
    _fiat("JPY", "0.0067"),
    _fiat("AUD", "0.64"),
    Asset("CHF", "CHF", "CHF", 4, 2, fiat=True, price="1.1"),
    _plain("USDT", 8, "1"),
    _plain("USDC", 8, "1"),
    _plain("DAI", 10, "1"),
    _plain("BCH", 10, "210"),
    _plain("DOT", 10, "4.1"),
    _plain("SOL", 10, "19.5"),
    _plain("ADA", 8, "0.25"),
    _plain("MATIC", 10, "0.5"),
    _plain("ATOM", 8, "7"),
    _plain("XTZ", 8, "0.7"),
    _plain("XCN", 10, "0.001"),
    _plain("ZRX", 10, "0.2"),
    _plain("ZETA", 8, "0.6"),
    _plain("ETH2", 10, "1600"),
    Asset("KFEE", "FEE", "KFEE", 2, 2, price="0.01"),
    # Not a real asset: the widest scale that a consumer has to carry.
    _plain("SIM18", 18, "3"),
    Asset("AAPLx", "AAPLx", "AAPLx", 10, 4, kind="tokenized_asset", price="175"),
)
# Codes which the venue lists though they are views of another asset: name, decimals.
LISTED_VIEWS = (
    ("USD.HOLD", "USD.HOLD", 4),
    ("EUR.HOLD", "EUR.HOLD", 4),
    ("USD.M", "USD.M", 4),
    ("XBT.M", "BTC.M", 10),
    ("XTZ.S", "XTZ.S", 8),
    ("ETH2.S", "ETH2.S", 10),
    ("DOT28.S", "DOT28.S", 10),
)


class UnknownAssetError(ValueError):
    """The venue lists no asset of that name."""


class AssetList:
    """All assets of the venue, found by any of their three names."""

    def __init__(self, assets: tuple[Asset, ...] = LISTED) -> None:
        self._by_internal: dict[str, Asset] = {}
        self._internal_by_name: dict[str, str] = {}
        for asset in assets:
            self.add(asset)

    def __iter__(self) -> Iterator[Asset]:
        """Go through the assets in the order in which they were listed."""
        return iter(self._by_internal.values())

    def add(self, asset: Asset) -> None:
        """List an asset, or replace the one with the same internal name."""
        self._by_internal[asset.internal] = asset
        for name in (asset.internal, asset.altname, asset.display):
            self._internal_by_name.setdefault(name, asset.internal)

    def internal(self, internal: str) -> Asset:
        """Return the asset with this internal name, which must be listed."""
        return self._by_internal[internal]

    def find(self, name: str) -> Asset:
        """Return the asset with this internal, alternative or display name.

        Raises:
            UnknownAssetError: when no asset has that name.
        """
        try:
            return self._by_internal[self._internal_by_name[name]]
        except KeyError:
            raise UnknownAssetError(f"the venue lists no asset {name!r}") from None

    def rename(self, name: str, display: str) -> Asset:
        """Give an asset another display name, as venues do when a coin is renamed."""
        asset = replace(self.find(name), display=display)
        self.add(asset)
        return asset

    def rebase(self, name: str, multiplier: Decimal) -> Asset:
        """Set how many shares one token of a tokenized asset stands for."""
        asset = replace(self.find(name), multiplier=multiplier)
        self.add(asset)
        return asset
