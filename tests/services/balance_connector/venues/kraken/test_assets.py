"""Names: joined where the venue tells them, tabled where not, never guessed."""

import pytest

from balance_connector.venues.kraken.assets import LEGACY, AssetNames, join, named_part

INTERNAL = {
    "XXBT": "XBT",
    "ZUSD": "USD",
    "XXDG": "XDG",
    "DOT": "DOT",
    "ETH2": "ETH2",
    "XTZ": "XTZ",
    "ZARS": "ARS",
    "USD.M": "USD.M",
    "XETH": "ETH",
}
DISPLAY = {
    "BTC": "XBT",
    "USD": "USD",
    "DOGE": "XDG",
    "DOT": "DOT",
    "ETH2": "ETH2",
    "XTZ": "XTZ",
    "ARS": "ARS",
    "USD.M": "USD.M",
    "ETH": "ETH",
}


@pytest.fixture(name="joined")
def _joined():
    return AssetNames({}, join(INTERNAL, DISPLAY))


@pytest.mark.parametrize(
    ("code", "asset", "wallet", "wallet_id"),
    [
        ("XXBT", "BTC", "spot", "main"),
        ("XBT.F", "BTC", "earn", "liquid"),
        ("XBT.B", "BTC", "earn", "B"),
        ("XBT.M", "BTC", "earn", "M"),
        ("DOT.S", "DOT", "earn", "S"),
        ("DOT.P", "DOT", "earn", "P"),
        ("DOT28.S", "DOT", "earn", "28.S"),
        ("ETH2.S", "ETH2", "earn", "S"),
        ("ETH2", "ETH2", "spot", "main"),
        ("USD.M", "USD", "earn", "M"),
        ("USD.HOLD", "USD", "hold", "HOLD"),
        ("XTZ", "XTZ", "spot", "main"),
        ("ZARS", "ARS", "spot", "main"),
    ],
)
def test_joined_code(joined, code, asset, wallet, wallet_id):
    """Codes of the Assets list, with and without a suffix, get display names."""
    name = joined.of_balance(code)

    assert (asset, wallet, wallet_id) == name[:3]
    assert name.mapped
    assert "currency" == name.asset_class


@pytest.mark.parametrize("code", ["ZRX", "ZETA", "XCN", "ZRO", "XU3O8", "LUNA2"])
def test_unknown_code_is_passed_through_and_flagged(joined, code):
    """A leading X or Z, or trailing digits, are no reason to cut a name."""
    name = joined.of_balance(code)

    assert (code, "spot", "main") == name[:3]
    assert not name.mapped


def test_tokenized_asset_keeps_its_spelling(joined):
    """`.T` is a kind of asset, not a wallet; the lower-case x stays."""
    name = joined.of_balance("AAPLx.T")

    assert ("AAPLx", "spot", "main", "tokenized_asset") == name[:4]


@pytest.mark.parametrize("code", ["XBT.BASE", "BRK.B2", ".F", "A.", "US.D"])
def test_unknown_suffix_is_part_of_the_name(joined, code):
    """Only documented suffixes are split off."""
    assert (code, "spot", "main") == joined.of_balance(code)[:3]


@pytest.mark.parametrize(("code", "asset"), sorted(LEGACY.items()))
def test_static_table_serves_without_the_join(code, asset):
    """Legacy codes are known from the start."""
    assert asset == AssetNames({}).of_balance(code).asset


@pytest.mark.parametrize(
    ("code", "asset", "wallet_id"),
    [("DOT28.S", "DOT", "28.S"), ("SOL03.S", "SOL", "03.S"), ("ABC28.S", "ABC28", "S")],
)
def test_term_digits_need_a_known_asset(code, asset, wallet_id):
    """Two digits are a term only where the rest is an asset that we know."""
    name = AssetNames({}).of_balance(code)

    assert (asset, "earn", wallet_id) == name[:3]


def test_aliases_win():
    """What the user says a code means, it means."""
    names = AssetNames({"XXBT": "XBT2", "FLOWH": "FLOW"}, join(INTERNAL, DISPLAY))

    assert "XBT2" == names.of_balance("XXBT").asset
    assert ("FLOW", "earn", "S") == names.of_balance("FLOWH.S")[:3]
    assert "XBT2" == names.display("XXBT")


@pytest.mark.parametrize(
    ("code", "told", "part"),
    [
        ("ZMXN", ("MXN", "spot", "main"), "ZMXN"),
        ("DOT28.S", ("DOT", "earn", "28.S"), "DOT"),
        ("ETH2.S", ("ETH2", "earn", "S"), "ETH2"),
        ("XBT.F", ("BTC", "earn", "liquid"), "XBT"),
        ("DOT28.F", ("DOT", "earn", "28.liquid"), "DOT"),
        ("AAPLx.T", ("AAPLx", "spot", "main"), "AAPLx"),
        ("FLOW.S", ("STAKE", "spot", "main"), "FLOW.S"),
        ("BRK.B", ("BRK.B", "spot", "main"), "BRK.B"),
        ("BRK.B", ("BRK-B", "earn", "flex"), "BRK.B"),
        ("XBT.F", ("XBT.F", "earn", "liquid"), "XBT.F"),
        ("US.D", ("US.D", "spot", "main"), "US.D"),
    ],
)
def test_part_that_names_the_asset(code, told, part):
    """What a balance was told under says what the code without its suffix is."""
    assert part == named_part(code, *told)


def test_stream_names_are_display_names_already():
    """The stream's codes stay, but for legacy ones."""
    names = AssetNames({})

    assert "BTC" == names.display("BTC")
    assert "BTC" == names.display("XXBT")
    assert "XTZ" == names.display("XTZ")
