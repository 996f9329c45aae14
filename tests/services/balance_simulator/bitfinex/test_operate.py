"""Operations by name."""

import pytest


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("theft", {}),
        ("deposit", {"asset": "BTC"}),
        ("deposit", {"asset": "NO", "amount": "1"}),
        ("deposit", {"asset": "BTC", "amount": "1", "user": "me"}),
        ("deposit", {"asset": "BTC", "amount": "1", "wallet": "a|b"}),
        ("deposit", {"asset": "BTC", "amount": "1e-19"}),
        ("hold", {"asset": "BTC", "amount": "-1"}),
        ("trade", {"base": "BTC", "quote": "USD", "volume": "1", "price": "NaN"}),
    ],
)
def test_wrong_requests_change_nothing(desk, name, arguments):
    """Whatever is wrong about an operation, the books stay as they are."""
    before = desk.venue.truth()
    with pytest.raises((ValueError, TypeError)):
        desk.venue.operate(name, arguments)
    assert before == desk.venue.truth()


def test_hold_and_interest_write_no_line(desk):
    """They change what is available and what is not settled, never a balance."""
    before = desk.venue.truth()["balances"]
    held = desk.venue.operate("hold", {"asset": "LTC", "amount": "200.125"})
    assert {"lines": [], "available": "4000.000"} == held
    owed = desk.venue.operate("interest", {"asset": "USD", "amount": "-0.5"})
    assert {"lines": [], "interest": "-0.5"} == owed
    assert before == desk.venue.truth()["balances"]
    assert '["margin","USD",10000.25,-0.5,' in desk.post("/v2/auth/r/wallets").text


def test_currencies_are_listed_renamed_and_mapped(desk):
    """A new currency can be held, and its names changed."""
    listing = {"asset": "NEWF0", "decimals": "8", "underlying": "BTC", "symbol": "N"}
    desk.venue.operate("list", listing)
    desk.venue.operate("adjust", {"asset": "NEWF0", "amount": "1", "wallet": "margin"})
    desk.venue.operate("rename", {"asset": "NEWF0", "to": "NEXT"})
    assert {"symbol": "Nn"} == {
        "symbol": desk.venue.operate("map", {"asset": "NEXT", "to": "Nn"})["symbol"]
    }
    (books,) = desk.venue.truth()["balances"].values()
    assert {"margin": "1"} == books["NEXT"]
    assert "NEWF0" not in books


def test_big_picture_has_every_scale(desk):
    """As many currencies as asked for, each in as many types of wallet."""
    assert 40 == desk.venue.picture({"assets": 20, "wallets": 2})["loaded"]
    (books,) = desk.venue.truth()["balances"].values()
    held = [wallets for code, wallets in books.items() if code.startswith("SIM")]
    assert [{"exchange", "margin"}] * 20 == [set(wallets) for wallets in held]
    scales = {len(wallets["margin"].partition(".")[2]) for wallets in held}
    assert {2, 8, 15, 18} == scales
