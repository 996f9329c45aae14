"""Amounts as venues write them: a JSON number, or a text that is one."""

import re
from decimal import Decimal

import msgspec

from balance_schemas.decimals import exact

_NUMBER = re.compile(rb'"?(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?)"?')


def amount_of(raw: bytes | msgspec.Raw) -> Decimal:
    """Return the amount that a JSON value stands for, every digit kept.

    Python's own reading is wider than any venue's writing: ``1_0``, blanks and other
    scripts' digits would be taken for numbers. Here they are refused.

    Args:
        raw: the JSON value as sent.

    Raises:
        ValueError: it is no number, or does not fit ``decimal(38, 18)``.
    """
    text = bytes(raw)
    match = _NUMBER.fullmatch(text)
    if match is None or text.startswith(b'"') is not text.endswith(b'"'):
        raise ValueError(f"{text[:60]!r} is no amount")
    amount = Decimal(match[1].decode())
    exact(amount)
    return amount
