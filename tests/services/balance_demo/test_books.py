"""The comparison of books with the venue's truth."""

from decimal import Decimal

import pytest

from balance_demo.books import Difference, differences, plain


def books(**balances: str) -> dict[str, Decimal]:
    """Return books of exact balances."""
    return {key: Decimal(text) for key, text in balances.items()}


def test_equal_books_differ_in_nothing():
    """Trailing zeros are no difference, and a missing wallet is an empty one."""
    truth = books(BTC="1.50", ETH="0.00")
    assert [] == differences("Kafka", truth, books(BTC="1.500000000000000000"))
    assert [] == differences("Kafka", books(BTC="1.5"), books(BTC="1.5", DOT="0"))


def test_the_last_of_eighteen_digits_counts():
    """Figures are compared exactly, beyond what a float holds."""
    truth = books(SIM18="123456789.123456789012345678")
    found = books(SIM18="123456789.123456789012345679")
    assert [Difference("Kafka", "SIM18", *truth.values(), *found.values())] == (
        differences("Kafka", truth, found)
    )


def test_missing_and_invented_balances_are_differences():
    """Both are named with the place, sorted, None where there is no figure."""
    found = differences("PostgreSQL", books(ETH="2"), books(BTC="1"))
    assert [
        Difference("PostgreSQL", "BTC", None, Decimal(1)),
        Difference("PostgreSQL", "ETH", Decimal(2), None),
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
