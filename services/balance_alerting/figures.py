"""What rules are written in: exact amounts, durations, globs and names.

Every scalar of the rules file reaches these types as text, so that an amount is never
a binary float on its way.
"""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from balance_schemas.decimals import PRECISION, SCALE, exact

DURATION_MAX = timedelta(days=30)
"""Longest time a rule may look at or wait for: events are kept that long."""

_AMOUNT = re.compile(r"[+-]?\d+(\.\d+)?")
_DURATION = re.compile(r"(?:\d+(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+)(ms|s|m|h|d)")
_NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NAME_CHARS_MAX = 64
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def amount(text: Any) -> Decimal:
    """Return an amount, every digit of it.

    Raises:
        ValueError: not a plain number, or one that needs rounding. Never round it.
    """
    if isinstance(text, Decimal):
        return text
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError("should be a plain number such as 1250.5")
    fraction = text.partition(".")[2].rstrip("0")
    if len(fraction) > SCALE:
        raise ValueError(f"has {len(fraction)} fraction digits, at most {SCALE} fit")
    whole = text.lstrip("+-").partition(".")[0].lstrip("0")
    if len(whole) > PRECISION - SCALE:
        raise ValueError(
            f"has {len(whole)} integer digits, at most {PRECISION - SCALE} fit"
        )
    return exact(Decimal(text))


def duration(text: Any) -> timedelta:
    """Return a duration such as ``90s``, ``5m`` or ``1h30m``.

    Raises:
        ValueError: not one, or over `DURATION_MAX`.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError("should be a duration such as 90s, 5m, 1h30m or 2d")
    if len(text) > _NAME_CHARS_MAX:
        raise ValueError(f"should be at most {DURATION_MAX.days}d")
    parts = _PART.findall(text)
    seconds = sum(int(number) * _UNITS[unit].total_seconds() for number, unit in parts)
    if seconds > DURATION_MAX.total_seconds():
        raise ValueError(f"should be at most {DURATION_MAX.days}d")
    return timedelta(seconds=seconds)


def written(length: timedelta) -> str:
    """Return a duration in the largest unit that says it exactly."""
    units = reversed(_UNITS.items())
    found = (f"{length // size}{unit}" for unit, size in units if not length % size)
    return "0s" if not length else next(found)


def _positive(length: timedelta) -> timedelta:
    if not length:
        raise ValueError("should be longer than 0")
    return length


def _not_negative(figure: Decimal) -> Decimal:
    if figure < 0:
        raise ValueError("should not be negative")
    return figure


def _above_zero(figure: Decimal) -> Decimal:
    if figure <= 0:
        raise ValueError("should be greater than 0")
    return figure


def _glob(text: str) -> str:
    """Return a glob, checked: ``*``, ``?``, ``[abc]`` and ``[!abc]``."""
    if not text or not text.isprintable():
        raise ValueError("should be a glob such as main, USD* or [BE]*")
    rest = text
    while "[" in rest:
        # as fnmatch reads it: a ] right after [ or [! is a letter
        start = rest.index("[") + 1
        start += rest[start : start + 1] == "!"
        end = rest.find("]", start + 1)
        if end < 0:
            raise ValueError(f"is a bad glob: the [ of {text!r} is never closed")
        rest = rest[end + 1 :]
    return text


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _name(text: str) -> str:
    if len(text) > _NAME_CHARS_MAX or not _NAME.fullmatch(text):
        raise ValueError(
            "should be a name such as low-btc: 1 to 64 of a-z, 0-9, with - or _ between"
        )
    return text


def _label_name(text: str) -> str:
    if not _LABEL.fullmatch(text) or text.startswith("__"):
        raise ValueError("should be a label name such as team")
    return text


_TEXT_OR_NUMBER = {"type": ["string", "number"]}
_DURATION_SCHEMA = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}

Amount = Annotated[Decimal, BeforeValidator(amount), WithJsonSchema(_TEXT_OR_NUMBER)]
NotNegative = Annotated[Amount, AfterValidator(_not_negative)]
Positive = Annotated[Amount, AfterValidator(_above_zero)]
Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    WithJsonSchema(_DURATION_SCHEMA),
]
Length = Annotated[Duration, AfterValidator(_positive)]
Glob = Annotated[str, AfterValidator(_glob)]
Name = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
LabelName = Annotated[str, AfterValidator(_label_name)]


def _one_or_more(item: str) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": f"One {item}, or a list of them.",
    }


Globs = Annotated[
    tuple[Glob, ...], BeforeValidator(_as_list), WithJsonSchema(_one_or_more("glob"))
]
Names = Annotated[
    tuple[Name, ...], BeforeValidator(_as_list), WithJsonSchema(_one_or_more("name"))
]
