"""Hypothesis strategies for everything that tests make up, in one place."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_type_hints

from hypothesis import strategies as st

from balance_schemas.decimals import PRECISION, SCALE
from balance_schemas.records import Difference, Movement, Record
from balance_schemas.topics import TOPICS

RECORD_TYPES: tuple[type[Record], ...] = tuple(
    dict.fromkeys(topic.record for topic in TOPICS)
)
"""The types that are on topics."""

UNSCALED_MAX = 10**PRECISION - 1

WORST_AMOUNTS = tuple(
    Decimal(text)
    for text in (
        "0",
        "-0",
        "0E-18",
        "0E+1000000000",
        "0E-1000000000",
        "99999999999999999999.999999999999999999",
        "-99999999999999999999.999999999999999999",
        "0.000000000000000001",
        "-0.000000000000000001",
        "0.000000000000000127",
        "0.000000000000000128",
        "-0.000000000000000128",
        "-0.000000000000000129",
        "1E+19",
        "1.00000000000000000000000000000000000000000000000000",
    )
)
"""Amounts that fit, at the edges of digits, signs, exponents and byte lengths."""

UNFIT_AMOUNTS = tuple(
    Decimal(text)
    for text in (
        "NaN",
        "-NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "0.0000000000000000001",
        "1.0000000000000000001",
        "100000000000000000000",
        "-100000000000000000000",
        "1e400",
        "1e-400",
        "1E+999999",
        "1E-999999",
        "1e1000000000",
        "-1e-1000000000",
    )
)
"""Amounts that do not fit ``decimal(38, 18)``."""


def amounts() -> st.SearchStrategy[Decimal]:
    """Return amounts that fit, the worst ones among them."""
    return st.one_of(
        st.sampled_from(WORST_AMOUNTS),
        st.integers(-UNSCALED_MAX, UNSCALED_MAX).map(
            lambda n: Decimal(f"{n}E-{SCALE}")
        ),
        st.builds(
            lambda digits, exponent: Decimal(f"{digits}E{exponent}"),
            st.integers(-(10**10), 10**10),
            st.integers(-SCALE, 9),
        ),
    )


def times() -> st.SearchStrategy[datetime]:
    """Return times in UTC, to the microsecond, over all years."""
    return st.datetimes(timezones=st.just(UTC))


def texts() -> st.SearchStrategy[str]:
    """Return texts, empty ones too, rich in what keys have to escape."""
    return st.one_of(st.text("%|/A27CF5", max_size=5), st.text(max_size=20))


def names() -> st.SearchStrategy[str]:
    """Return texts that are not empty."""
    return texts().filter(bool)


def records(record_type: type[Record]) -> st.SearchStrategy[Any]:
    """Return records of one type, every field made up."""
    hints = get_type_hints(record_type)
    return st.builds(
        record_type,
        **{
            name: names() if name in record_type.NAMED else _values(name, hints[name])
            for name in record_type.__struct_fields__
        },
    )


def any_record() -> st.SearchStrategy[Any]:
    """Return records of every type that is on a topic."""
    return st.one_of([records(record_type) for record_type in RECORD_TYPES])


_LONGS = {"epoch", "sequence", "index", "source_offset", "payload_size"}
"""Fields that are Avro long; the other whole numbers are int."""


def _values(name: str, kind: Any) -> st.SearchStrategy[Any]:
    bits = 63 if name in _LONGS else 31
    whole = st.integers(-(1 << bits), (1 << bits) - 1)
    of_kind: dict[Any, st.SearchStrategy[Any]] = {
        str: texts(),
        int: whole,
        bytes: st.binary(max_size=100),
        Decimal: amounts(),
        datetime: times(),
        str | None: st.none() | texts(),
        int | None: st.none() | whole,
        Decimal | None: st.none() | amounts(),
        datetime | None: st.none() | times(),
        dict[str, str]: st.dictionaries(texts(), texts(), max_size=3),
    }
    for item in (Movement, Difference):
        if kind == tuple[item, ...]:
            return st.lists(records(item), max_size=2).map(tuple)
    return of_kind[kind]


def json_values(*names: str) -> st.SearchStrategy[Any]:
    """Give any JSON value; objects have some of the names as their keys."""
    keys = st.sampled_from(names) if names else st.text(max_size=8)
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6)
        ),
        max_leaves=12,
    )
