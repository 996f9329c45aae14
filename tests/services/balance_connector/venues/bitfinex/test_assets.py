"""Currency codes in our words: the order of the tables, and whole codes only."""

import pytest
from bitfinex_conversation import conf_answer

from balance_connector.venues.bitfinex.assets import AssetName, AssetNames, Maps
from balance_connector.venues.bitfinex.names import read_maps


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("UST", AssetName("USDT", derivative=False, mapped=True)),
        ("UDC", AssetName("USDC", derivative=False, mapped=True)),
        ("EUT", AssetName("EURT", derivative=False, mapped=True)),
        ("CNHT", AssetName("CNHT", derivative=False, mapped=True)),
        ("TERRAUST", AssetName("USTC", derivative=False, mapped=True)),
        ("LUNA", AssetName("LUNC", derivative=False, mapped=True)),
        ("LUNA2", AssetName("LUNA", derivative=False, mapped=True)),
        ("USTF0", AssetName("USDT", derivative=True, mapped=True)),
        ("ETHF0", AssetName("ETH", derivative=True, mapped=True)),
        ("ADAF0", AssetName("ADAF0", derivative=False, mapped=False)),
        ("BTC", AssetName("BTC", derivative=False, mapped=True)),
        ("USDT", AssetName("USDT", derivative=False, mapped=False)),
        ("XUSTX", AssetName("XUSTX", derivative=False, mapped=False)),
        ("LES", AssetName("LEO-EOS", derivative=False, mapped=True)),
        ("TESTUSD", AssetName("TESTUSD", derivative=False, mapped=False)),
    ],
)
def test_static_table(code, expected):
    """What serves while the venue's maps are not there."""
    assert expected == AssetNames({}).of(code)


def test_captured_maps():
    """Symbols, underlyings and the list as the venue sends them."""
    maps = read_maps(conf_answer())

    assert ("USDt", "USDt0") == (maps.symbols["UST"], maps.symbols["USTF0"])
    assert {"USTF0": "UST", "BTCF0": "BTC", "ETHF0": "ETH"} == maps.underlyings
    assert frozenset({"BTC", "UST", "NEWCOIN"}) == maps.codes
    names = AssetNames({}, maps)
    assert AssetName("USDT", derivative=True, mapped=True) == names.of("USTF0")
    assert AssetName("NEWCOIN", derivative=False, mapped=True) == names.of("NEWCOIN")


def test_order_of_the_tables():
    """Aliases, then the venue's maps, then the static table, then the code as sent."""
    maps = Maps({"UST": "NEWt", "LUNA": "MOON"}, {"XF0": "UST"})
    names = AssetNames({"LUNA": "Terra", "BTCF0": "XBTt"}, maps)

    assert ["NEWT", "Terra", "USTC", "QQQ", "NEWT", "XBTt"] == [
        names.of(code).asset
        for code in ("UST", "LUNA", "TERRAUST", "QQQ", "XF0", "BTCF0")
    ]


def test_alias_of_the_underlying_serves_its_collateral():
    """Who renames Tether renames the collateral that is in it."""
    assert "Tether" == AssetNames({"UST": "Tether"}).of("USTF0").asset


@pytest.mark.parametrize(
    ("symbol", "asset"),
    [
        ("USDt", "USDT"),
        ("XAUt", "XAUT"),
        ("USDt0", "USDt0"),
        ("sUSD", "sUSD"),
        ("stETH", "stETH"),
        ("t", "t"),
        ("LEO-EOS", "LEO-EOS"),
    ],
)
def test_only_a_small_t_at_the_end_is_raised(symbol, asset):
    """Tether's tokens are written as others write them; other symbols as told."""
    assert asset == AssetNames({}, Maps({"XYZ": symbol})).of("XYZ").asset
