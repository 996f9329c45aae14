"""How amounts are written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_simulator.zerohash.amounts import written


@pytest.mark.parametrize(
    ("text", "kept", "short", "bare", "padded"),
    [
        ("1.00", "1.00", "1", "1", "1.000000000000000000"),
        ("0.25", "0.25", "0.25", ".25", "0.250000000000000000"),
        ("-0.50", "-0.50", "-0.5", "-.5", "-0.500000000000000000"),
        ("0.00", "0.00", "0", "0", "0.000000000000000000"),
        ("-0.0", "-0.0", "0", "0", "-0.000000000000000000"),
        ("1360000", "1360000", "1360000", "1360000", "1360000.000000000000000000"),
        ("5091.1", "5091.1", "5091.1", "5091.1", "5091.100000000000000000"),
        ("1E+3", "1000", "1000", "1000", "1000.000000000000000000"),
        ("10.05", "10.05", "10.05", "10.05", "10.050000000000000000"),
    ],
)
def test_forms_are_those_of_the_samples(text, kept, short, bare, padded):
    """Four spellings of one amount, and the mix takes each in turn."""
    value = Decimal(text)
    expected = [kept, short, bare, padded]
    assert expected == [
        written(value, form) for form in ("kept", "short", "bare", "padded")
    ]
    assert expected == [written(value, "mixed", number) for number in range(4)]


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=19),
    st.integers(min_value=0, max_value=3),
)
def test_no_form_changes_the_amount(value, number):
    """Whatever the form, every digit is there."""
    assert value == Decimal(written(value, "mixed", number))
