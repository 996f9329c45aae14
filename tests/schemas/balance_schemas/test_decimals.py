"""Amounts are exact or refused, and quickly so."""

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.decimals import (
    SCALE,
    ZERO,
    AmountUnfitError,
    add,
    exact,
    from_unscaled,
    plain,
    subtract,
    to_unscaled,
)
from strategies import UNFIT_AMOUNTS, UNSCALED_MAX, WORST_AMOUNTS, amounts

LIMIT = Fraction(10**20)


@given(amounts())
def test_amounts_that_fit_stay_what_they_are(amount):
    """The value is the same, with 18 fraction digits."""
    fitted = exact(amount)
    assert amount == fitted
    assert -SCALE == fitted.as_tuple().exponent


@pytest.mark.parametrize("amount", UNFIT_AMOUNTS, ids=str)
def test_amounts_that_do_not_fit_are_refused_at_once(amount):
    """NaN, infinities, a digit too many and huge exponents are told quickly."""
    started = time.process_time()
    with pytest.raises(AmountUnfitError, match="does not fit decimal"):
        exact(amount)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("amount", UNFIT_AMOUNTS, ids=str)
def test_sums_with_unfit_amounts_are_refused_at_once(amount):
    """Arithmetic lets nothing pass that `exact` refuses."""
    started = time.process_time()
    for operation in (add, subtract):
        with pytest.raises(AmountUnfitError):
            operation(amount, ZERO)
        with pytest.raises(AmountUnfitError):
            operation(ZERO, amount)
    assert time.process_time() - started < 0.1


@given(st.decimals())
def test_exact_keeps_or_refuses_any_decimal(amount):
    """There is no third outcome, and none that is unequal."""
    try:
        fitted = exact(amount)
    except AmountUnfitError:
        fits = amount.is_finite() and abs(Fraction(amount)) < LIMIT
        assert not fits or Fraction(amount) * 10**SCALE % 1
        return
    assert Fraction(amount) == Fraction(fitted)


@given(amounts(), amounts())
def test_sums_and_differences_never_round(left, right):
    """They equal those of fractions, or do not fit."""
    for operation, sign in ((add, 1), (subtract, -1)):
        expected = Fraction(exact(left)) + sign * Fraction(exact(right))
        if abs(expected) < LIMIT:
            assert expected == Fraction(operation(left, right))
        else:
            with pytest.raises(AmountUnfitError):
                operation(left, right)


@given(st.integers(-UNSCALED_MAX, UNSCALED_MAX))
def test_unscaled_and_back(unscaled):
    """Integers in units of 10⁻¹⁸ and amounts are the same thing."""
    assert unscaled == to_unscaled(from_unscaled(unscaled))


@given(amounts())
def test_amounts_and_unscaled_agree(amount):
    """The amount times 10¹⁸ is the integer."""
    assert Fraction(exact(amount)) * 10**SCALE == to_unscaled(amount)


@pytest.mark.parametrize("amount", WORST_AMOUNTS, ids=str)
def test_worst_amounts_are_unscaled_at_once(amount):
    """No exponent makes the codec count to it."""
    started = time.process_time()
    assert amount == from_unscaled(to_unscaled(amount))
    assert time.process_time() - started < 0.1


@given(amounts())
def test_plain_text_is_the_amount_without_exponent(amount):
    """People see the same value, without an exponent or trailing zeros."""
    text = plain(exact(amount))
    assert amount == Decimal(text)
    assert not set(text) - set("-.0123456789")
    assert "." not in text or text[-1] not in ".0"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1.500", "1.5"),
        ("-0", "0"),
        ("0E-1000000000", "0"),
        ("0E-18", "0"),
        ("1E+3", "1000"),
        ("-1.0", "-1"),
    ],
)
def test_plain_examples(amount, text):
    """A few that people meet."""
    assert text == plain(Decimal(amount))


def test_message_is_short():
    """A figure of a thousand digits does not fill the log."""
    with pytest.raises(AmountUnfitError) as caught:
        exact(Decimal("1" * 1000))
    assert len(str(caught.value)) < 120
