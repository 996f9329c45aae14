"""The assets and their names."""

from decimal import Decimal

import pytest

from balance_simulator.kraken.assets import AssetList, UnknownAssetError


@pytest.mark.parametrize(
    ("name", "wallet", "code"),
    [
        ("BTC", ("spot", "main"), "XXBT"),
        ("BTC", ("earn", "liquid"), "XBT.F"),
        ("XBT", ("earn", "bonded"), "XBT.B"),
        ("DOT", ("earn", "locked"), "DOT.B"),
        ("USD", ("earn", "flex"), "USD.M"),
        ("ETH2", ("earn", "flex"), "ETH2.S"),
        ("DOGE", ("spot", "main"), "XXDG"),
        ("XDG", ("earn", "liquid"), "XDG.F"),
        ("AAPLx", ("spot", "main"), "AAPLx.T"),
        ("XTZ", ("spot", "main"), "XTZ"),
    ],
)
def test_rest_codes_hang_suffixes_off_the_altname(name, wallet, code):
    """Spot wallets have the internal name, all others the altname and a suffix."""
    assert AssetList().find(name).rest_code(*wallet) == code


def test_every_name_finds_the_same_asset():
    """Internal, alternative and display name mean one asset."""
    assets = AssetList()
    assert assets.find("XXBT") == assets.find("XBT") == assets.find("BTC")
    with pytest.raises(UnknownAssetError):
        assets.find("NOPE")


def test_names_and_multipliers_can_change():
    """A renamed asset keeps its internal name, and its old name still finds it."""
    assets = AssetList()
    assert assets.rename("MATIC", "POL").internal == "MATIC"
    assert assets.find("POL") == assets.find("MATIC")
    assert assets.rebase("AAPLx", Decimal(2)).multiplier == 2
