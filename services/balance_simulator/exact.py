"""Exact decimal arithmetic and times in whole microseconds.

Every figure of a stand-in venue passes through here: a result which would have to be
rounded raises, so that the truth that a test compares with is never an approximation.
"""

import functools
from datetime import UTC, datetime
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
)

MICROSECONDS = 1_000_000

# 80 digits hold any sum below 10**60 with 18 decimals; the default 28 do not.
EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])
# For drawing random amounts and prices only, never for adding up.
CUT = Context(prec=80, rounding=ROUND_DOWN, traps=[InvalidOperation, Overflow])


@functools.lru_cache(maxsize=256)
def unit(decimals: int) -> Decimal:
    """Return the smallest step of an asset with this many decimals: 4 gives 0.0001."""
    return Decimal(1).scaleb(-decimals, EXACT)


def at_scale(value: Decimal, decimals: int) -> Decimal:
    """Write a value with exactly this many decimals.

    Raises:
        decimal.Inexact: when the value has more decimals than that.
    """
    return value.quantize(unit(decimals), context=EXACT)


def cut_to_scale(value: Decimal, decimals: int) -> Decimal:
    """Cut a value down (towards zero) to this many decimals."""
    return value.quantize(unit(decimals), context=CUT)


def round_to_scale(value: Decimal, decimals: int) -> Decimal:
    """Round half up to this many decimals, as the venue's fees are."""
    return value.quantize(unit(decimals), rounding=ROUND_HALF_UP, context=CUT)


def plain(value: Decimal) -> str:
    """Return every digit, never an exponent: ``0.0000000000``, not ``0E-10``."""
    return format(value, "f")


@functools.lru_cache(maxsize=64)
def _whole_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def rfc3339(at_us: int) -> str:
    """Write a time as ``2023-09-22T10:23:42.925034Z``.

    Args:
        at_us: microseconds since 1970, UTC.
    """
    seconds, microseconds = divmod(at_us, MICROSECONDS)
    return f"{_whole_second(seconds)}.{microseconds:06d}Z"
