"""The forms in which the venue writes one and the same amount.

The pages' samples have ``1.00``, ``1360000``, ``.25``, ``0`` and
``5091.100000000000000000``: whoever compares texts instead of numbers is wrong here.
"""

from decimal import Decimal
from typing import Literal

from balance_simulator.exact import plain

AmountForm = Literal["kept", "short", "bare", "padded", "mixed"]

_MIXED: tuple[AmountForm, ...] = ("kept", "short", "bare", "padded")
_DECIMALS = 18


def written(value: Decimal, form: AmountForm, number: int = 0) -> str:
    """Write an amount, every digit of it.

    Args:
        value: the amount.
        form: ``kept`` (decimals as they came about), ``short`` (no trailing zeros),
            ``bare`` (no zero before the point either), ``padded`` (18 decimals, or
            more where there are more) or ``mixed`` (each in turn).
        number: whose turn it is, for ``mixed``.
    """
    text = plain(value)
    if form == "mixed":
        form = _MIXED[number % len(_MIXED)]
    if form == "kept":
        return text
    if form == "padded":
        whole, _, fraction = text.partition(".")
        return f"{whole}.{fraction.ljust(_DECIMALS, '0')}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text == "-0":
        return "0"
    if form == "bare" and text.startswith(("0.", "-0.")):
        return text.replace("0.", ".", 1)
    return text
