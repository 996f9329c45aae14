"""Exact money: Decimals that fit Avro ``decimal(38, 18)``, or an error; never rounded.

Python's default context rounds every sum at 28 digits. All arithmetic on balances
therefore goes through the functions here, whose context traps any loss instead.
"""

from collections.abc import Callable
from decimal import (
    Clamped,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

PRECISION = 38
"""Most significant digits of an amount, as in the Avro type."""

SCALE = 18
"""Most fraction digits of an amount, as in the Avro type."""

ZERO = Decimal(0)

_EXACT = Context(
    prec=PRECISION,
    Emin=-999_999,
    Emax=999_999,
    traps=[Clamped, DivisionByZero, Inexact, InvalidOperation, Overflow],
)
_scaled, _sum, _difference = _EXACT.scaleb, _EXACT.add, _EXACT.subtract
"""Bound once: a context looks for its methods among its flags first."""

QUANTUM = Decimal(1).scaleb(-SCALE)
"""The least amount."""

quantized = _EXACT.quantize
"""``quantized(amount, QUANTUM)`` is what `exact` returns; here NaN stays NaN, and all
else that does not fit raises `DecimalException`."""


class AmountUnfitError(ValueError):
    """The figure is not finite, or has over 20 integer or 18 fraction digits."""

    def __init__(self, amount: object) -> None:
        """Say which figure it was, cut to 60 characters."""
        super().__init__(
            f"amount {str(amount)[:60]!r} does not fit decimal({PRECISION}, {SCALE})"
        )


def exact(amount: Decimal) -> Decimal:
    """Return the same amount, checked to fit ``decimal(38, 18)``.

    Args:
        amount: any Decimal, in units of its asset.

    Returns:
        An equal Decimal with exactly 18 fraction digits.

    Raises:
        AmountUnfitError: NaN, infinite, more than 18 fraction digits that are not
            zero, or more than 20 integer digits. Refuse the figure; never round it.
    """
    try:
        fitted = quantized(amount, QUANTUM)
    except DecimalException:
        raise AmountUnfitError(amount) from None
    if not fitted.is_finite():
        raise AmountUnfitError(amount)
    return fitted


def add(left: Decimal, right: Decimal) -> Decimal:
    """Return ``left + right`` exactly; `AmountUnfitError` if the sum does not fit."""
    return _fitting(_sum, left, right, "+")


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """Return ``left - right`` exactly; `AmountUnfitError` if it does not fit."""
    return _fitting(_difference, left, right, "-")


def _fitting(
    operation: Callable[[Decimal, Decimal], Decimal],
    left: Decimal,
    right: Decimal,
    sign: str,
) -> Decimal:
    """Return the result of an operation of `_EXACT`, checked to fit."""
    try:
        result = operation(left, right)
    except DecimalException:
        try:  # a zero with a huge exponent fits, but cannot be added as it stands
            result = operation(exact(left), exact(right))
        except DecimalException:
            raise AmountUnfitError(f"{left} {sign} {right}") from None
    exact(result)
    return result


def to_unscaled(amount: Decimal) -> int:
    """Return an `exact` amount in units of 10⁻¹⁸, as Avro stores it.

    Args:
        amount: one that `exact` takes, as every amount in a record is; the digits of
            another would be cut, so this is for the codec alone.
    """
    try:
        return int(_scaled(amount, SCALE))
    except DecimalException:  # a zero with a huge exponent fits, but cannot be moved
        return int(_scaled(exact(amount), SCALE))


def from_unscaled(unscaled: int) -> Decimal:
    """Return the Decimal (18 fraction digits) of an integer in units of 10⁻¹⁸."""
    return _scaled(Decimal(unscaled), -SCALE)


def plain(amount: Decimal) -> str:
    """Return the amount as people write it: no exponent, no trailing zeros.

    >>> plain(Decimal("1.500000000000000000"))
    '1.5'
    >>> plain(Decimal("0E-18"))
    '0'
    """
    if not amount:  # a zero with a huge exponent would become as many characters
        return "0"
    text = str(amount)
    if "E" in text:
        text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
