"""Assets with and without their chains."""

import pytest

from balance_simulator.zerohash.assets import ZEROHASH_ASSETS, Asset, AssetList


@pytest.fixture
def assets():
    """Return what Zero Hash lists."""
    return AssetList(ZEROHASH_ASSETS)


@pytest.mark.parametrize(
    ("code", "plain"),
    [("USDC.SOL", "USDC"), ("BTC", "BTC"), ("ETH.ARBITRUM", "ETH"), ("UST", "UST")],
)
def test_chain_is_told_only_when_asked_for(assets, code, plain):
    """The multi-chain name is split at its last dot; native coins are bare."""
    assert (code, plain) == (
        assets.name(code, multi_chain=True),
        assets.name(code, multi_chain=False),
    )


def test_chains_of_one_name_are_known(assets):
    """USDC is held on three chains, UST on none but its own."""
    assert ["USDC.ETH", "USDC.SOL", "USDC.POLYGON"] == assets.chains("USDC.SOL")
    assert ["UST"] == assets.chains("UST")


def test_renamed_asset_keeps_its_books(assets):
    """The code stays, the name told is another, and both find it."""
    assets.rename("USDC.SOL", "USDX.SOL")
    assert "USDX" == assets.name("USDC.SOL", multi_chain=False)
    assert assets.find("USDX.SOL") == assets.find("USDC.SOL") == assets["USDC.SOL"]
    assert ["USDC.SOL"] == assets.chains("USDC.SOL")
    assert ["USDC.ETH", "USDC.POLYGON"] == assets.chains("USDC.ETH")


def test_new_asset_is_found_and_an_unknown_one_is_not(assets):
    """What is listed is there, what is not is an error."""
    added = assets.add(Asset("NEW.ETH", 18, "ethereum"))
    assert added in set(assets)
    with pytest.raises(ValueError, match="no asset 'NO'"):
        assets.find("NO")
