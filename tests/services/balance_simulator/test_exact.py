"""Exact arithmetic and times."""

from decimal import Decimal, Inexact

import pytest

from balance_simulator.exact import at_scale, cut_to_scale, plain, rfc3339, unit


def test_scale_keeps_every_digit_or_refuses():
    """A figure gains trailing zeros, and is never rounded."""
    assert plain(at_scale(Decimal("1.5"), 4)) == "1.5000"
    with pytest.raises(Inexact):
        at_scale(Decimal("0.00001"), 4)


def test_zero_is_written_without_an_exponent():
    """Zero at ten decimals shows its ten zeros."""
    assert plain(at_scale(Decimal(0), 10)) == "0.0000000000"


def test_cut_goes_towards_zero():
    """Drawn amounts are cut, whatever their sign."""
    assert cut_to_scale(Decimal("-1.99999"), 4) == Decimal("-1.9999")
    assert unit(4) == Decimal("0.0001")


def test_times_have_six_digits_and_a_z():
    """Microseconds are written as the venue's pages show them."""
    assert rfc3339(1695378222925034) == "2023-09-22T10:23:42.925034Z"
    assert rfc3339(1695378222000001) == "2023-09-22T10:23:42.000001Z"
