"""The venue's currencies and its maps about them."""

import pytest

from balance_simulator.bitfinex.currencies import (
    MAPS,
    Currency,
    CurrencyList,
    UnknownCurrencyError,
)


def test_maps_are_those_of_the_venue():
    """Section A1.10: mixed case symbols, underlying of collateral, networks."""
    listed = CurrencyList()
    symbols = dict(MAPS["pub:map:currency:sym"](listed))
    assert ("USDt", "EURt", "USDC", "USDt0") == (
        symbols["UST"],
        symbols["EUT"],
        symbols["UDC"],
        symbols["USTF0"],
    )
    assert "TERRAUST" not in symbols
    assert ["USTF0", "UST"] in MAPS["pub:map:currency:undl"](listed)
    assert ["UDC", "ETH"] in MAPS["pub:map:currency:pool"](listed)
    assert "TESTUSD" in MAPS["pub:list:currency"](listed)


def test_renamed_currency_is_found_by_both_names():
    """The books keep the old name, the wire has the new one."""
    listed = CurrencyList()
    assert "USDX" == listed.rename("UST", "USDX").code
    assert listed.find("UST") == listed.find("USDX") == listed.internal("UST")
    assert ["USDX", "USDt"] in MAPS["pub:map:currency:sym"](listed)


def test_map_rows_come_and_go():
    """A symbol can be changed, and taken out of the map."""
    listed = CurrencyList()
    listed.map("UST", "")
    assert "UST" not in dict(MAPS["pub:map:currency:sym"](listed))
    listed.add(Currency("NEW", "NEW", "New"))
    assert ["NEW", "New"] in MAPS["pub:map:currency:sym"](listed)
    with pytest.raises(UnknownCurrencyError):
        listed.find("NO")
