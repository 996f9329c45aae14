"""The comparison of books with the venue's truth."""

from decimal import Decimal

import pytest

from balance_demo.books import Difference, Place, differences, place_of, plain


def place(asset: str) -> Place:
    """Return the place of an asset."""
    return Place("kraken", "", "main", asset)


def books(**balances: str) -> dict[Place, Decimal]:
    """Return books of exact balances."""
    return {place(asset): Decimal(text) for asset, text in balances.items()}


def test_a_place_is_named_in_the_words_of_the_venue(event):
    """The code and the wallet as sent, not ours."""
    told = event("1", asset="USDT", venue_asset="UST", subaccount="P/P/general")
    assert "kraken P/P/general main UST" == str(place_of(told))


def test_equal_books_differ_in_nothing():
    """Trailing zeros are no difference, and a missing wallet is an empty one."""
    truth = books(BTC="1.50", ETH="0.00")
    assert [] == differences("Kafka", truth, books(BTC="1.500000000000000000"))
    assert [] == differences("Kafka", books(BTC="1.5"), books(BTC="1.5", DOT="0"))


def test_the_last_of_eighteen_digits_counts():
    """Figures are compared exactly, beyond what a float holds."""
    truth = books(SIM18="123456789.123456789012345678")
    found = books(SIM18="123456789.123456789012345679")
    assert [Difference("Kafka", place("SIM18"), *truth.values(), *found.values())] == (
        differences("Kafka", truth, found)
    )


def test_missing_and_invented_balances_are_differences():
    """Both are named with their store, sorted, None where there is no figure."""
    found = differences("PostgreSQL", books(ETH="2"), books(BTC="1"))
    assert [
        Difference("PostgreSQL", place("BTC"), None, Decimal(1)),
        Difference("PostgreSQL", place("ETH"), Decimal(2), None),
    ] == found


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("300.250000000000000000", "300.25"),
        ("500000", "500000"),
        ("0E-18", "0"),
        ("1E+3", "1000"),
        ("-0.000000000000000001", "-0.000000000000000001"),
        ("100.000", "100"),
    ],
)
def test_amounts_are_plain(amount, text):
    """Every digit that counts is shown, zeros of whole numbers too, no exponent."""
    assert text == plain(Decimal(amount))
