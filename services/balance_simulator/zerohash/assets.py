"""The assets that the venue lists, and their two names.

With ``useMultiChainAssetFormat`` an asset is named ``ASSET.CHAIN`` (``USDC.SOL``) and
native coins are bare (``BTC``); without it, all chains of an asset share one name.
Source: the enum ``Asset`` and ``GET /assets`` of the OpenAPI description.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Attributes:
        code: the name with its chain, and its name in the books.
        decimals: of its smallest step (``precision``).
        chain: the protocol that it is listed on (``chain_code``), "" for fiat.
        price: rough value in the quote asset, for random trades only.
        stablecoin: whether it is one.
        shown: the name told, when it was renamed since.
    """

    code: str
    decimals: int
    chain: str = ""
    price: str = "1"
    stablecoin: bool = False
    shown: str = ""

    @property
    def name(self) -> str:
        """The name with its chain, as told now."""
        return self.shown or self.code

    @property
    def plain(self) -> str:
        """The name without its chain."""
        return self.name.rpartition(".")[0] or self.name


_COMMON = (
    Asset("BTC", 8, "bitcoin", "64000"),
    Asset("ETH", 18, "ethereum", "3100.5"),
    Asset("ETH.ARBITRUM", 18, "arbitrum", "3100.5"),
    Asset("SOL", 9, "solana", "151.25"),
    Asset("MATIC.POLYGON", 18, "polygon", "0.55"),
    Asset("USDC.ETH", 6, "ethereum", "1", stablecoin=True),
    Asset("USDC.SOL", 6, "solana", "1", stablecoin=True),
    Asset("USDC.POLYGON", 6, "polygon", "1", stablecoin=True),
    Asset("USDT.ETH", 6, "ethereum", "1", stablecoin=True),
)
# UST is Terra's here, not Tether's; WETH and WETH.ETH are both listed.
ZEROHASH_ASSETS = (
    Asset("USD", 2),
    *_COMMON,
    Asset("AAVE.ETH", 18, "ethereum", "95.5"),
    Asset("DOGE", 8, "dogecoin", "0.16"),
    Asset("UST", 6, "terra", "0.02"),
    Asset("WETH", 18, "ethereum", "3100.5"),
    Asset("WETH.ETH", 18, "ethereum", "3100.5"),
)
NDAX_ASSETS = (Asset("e₹", 2), *_COMMON)


class AssetList:
    """All assets, found by either name.

    Args:
        assets: what is listed at first.
    """

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._by_code = {asset.code: asset for asset in assets}
        self._chains: dict[str, list[str]] = {}
        self._sort()

    def __iter__(self) -> Iterator[Asset]:
        return iter(self._by_code.values())

    def __getitem__(self, code: str) -> Asset:
        return self._by_code[code]

    def find(self, name: str) -> Asset:
        """Return an asset by its code or by the name told now.

        Raises:
            ValueError: when there is none.
        """
        if name in self._by_code:
            return self._by_code[name]
        for asset in self._by_code.values():
            if asset.name == name:
                return asset
        raise ValueError(f"no asset {name!r}; there are: {', '.join(self._by_code)}")

    def chains(self, code: str) -> list[str]:
        """Return the codes of all assets with the plain name of this one."""
        return self._chains[self._by_code[code].plain]

    def name(self, code: str, *, multi_chain: bool) -> str:
        """Return the name told for an asset."""
        asset = self._by_code[code]
        return asset.name if multi_chain else asset.plain

    def add(self, asset: Asset) -> Asset:
        """List a new asset, or another reading of one that is listed."""
        self._by_code[asset.code] = asset
        self._sort()
        return asset

    def rename(self, name: str, to: str) -> Asset:
        """Tell another name for an asset from now on."""
        return self.add(replace(self.find(name), shown=to))

    def _sort(self) -> None:
        self._chains = {}
        for asset in self._by_code.values():
            self._chains.setdefault(asset.plain, []).append(asset.code)
