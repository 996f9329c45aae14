"""Avro bodies from record values: one small writer for each type that a schema names.

fastavro looks for the branch of every union anew, which takes half of its time, and
wants a record as a dict of values in Avro's units, which takes as long again. Here the
schema is read once, and each record type becomes a function with its fields written
out, as dataclasses do for ``__init__``; the bytes are the same (tests write every type
both ways). Source: Apache Avro 1.12 specification, "Binary encoding".
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any, cast

from msgspec.structs import astuple

from balance_schemas.decimals import to_unscaled

Writer = Callable[[Any], bytes]
"""Returns the Avro bytes of one value."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What times on the bus count from."""

_MICROSECOND = timedelta(microseconds=1)
_NULL, _NOT_NULL = b"\0", b"\2"
_END = b"\0"  # of an array or a map; alone it is an empty one

_READY_MAX = 4096
_READY_BYTES_MAX = 12
_ready: dict[str, bytes] = {}
"""Short texts written lately: names come again. Ids, amounts and times do not, or to
find one takes as long as to write it."""


def writer_of(kind: Any) -> Writer:
    """Return the writer of an Avro type, as `json.loads` gives it.

    Maps are of texts. A record is one of `balance_schemas.records`, whose fields are
    those of the schema in its order; each may be a union of null and one other type.

    Raises:
        ValueError: no record of ours has such a type.
    """
    match kind:
        case {"logicalType": "decimal"}:
            return _amount
        case {"logicalType": "timestamp-micros"}:
            return _time
        case {"type": "record", "fields": fields}:
            return _record([field["type"] for field in fields])
        case {"type": "array", "items": items}:
            return _array(writer_of(items))
        case {"type": "map", "values": "string"}:
            return _map
        case str() if kind in _PRIMITIVES:
            return _PRIMITIVES[kind]
    raise ValueError(f"no writer for the Avro type {kind}")


def _record(kinds: Sequence[Any]) -> Writer:
    """Return ``lambda record: join((w0(v0), null if v1 is None else w1(v1), …))``.

    An amount that is also the record's first one is written once.
    """
    known: dict[str, Any] = {"astuple": astuple, "join": b"".join}
    known |= {"null": _NULL, "not_null": _NOT_NULL, "ready": _ready.get}
    written: list[str] = []
    first: int | None = None
    for place, kind in enumerate(kinds):
        match kind:
            case ["null", inner]:
                is_nullable = True
            case inner:
                is_nullable = False
        known[f"w{place}"] = writer_of(inner)
        value = f"w{place}(v{place})"
        if inner == "string":
            value = f"ready(v{place}) or {value}"
        elif known[f"w{place}"] is _amount and first is not None:
            value = f"amount if v{place} is v{first} else {value}"
        elif known[f"w{place}"] is _amount and not is_nullable:
            first, value = place, f"(amount := {value})"
        if is_nullable:
            value = f"null if v{place} is None else not_null + ({value})"
        written.append(value)
    values = ", ".join(f"v{place}" for place in range(len(kinds)))
    exec(  # noqa: S102 — nothing in the text is from outside
        "def write(record):\n"
        f"    {values}, = astuple(record)[:{len(kinds)}]\n"
        f"    return join(({', '.join(written)},))",
        known,
    )
    return cast("Writer", known["write"])


def _array(write: Writer) -> Writer:
    def write_array(items: Sequence[Any]) -> bytes:
        if not items:
            return _END
        return _long(len(items)) + b"".join(map(write, items)) + _END

    return write_array


def _map(texts: dict[str, str]) -> bytes:
    if not texts:
        return _END
    parts = map(_text, chain.from_iterable(texts.items()))
    return _long(len(texts)) + b"".join(parts) + _END


def _bytes(body: bytes) -> bytes:
    return _long(len(body)) + body


def _text(text: str) -> bytes:
    body = text.encode()
    size = len(body)
    if size >= _SHORT:
        return _long(size) + body
    body = _LAST[size << 1] + body
    if size <= _READY_BYTES_MAX:
        if len(_ready) == _READY_MAX:
            _ready.clear()
        _ready[text] = body
    return body


def _amount(amount: Decimal) -> bytes:
    unscaled = to_unscaled(amount)
    size = unscaled.bit_length() + 8 >> 3
    return _LAST[size << 1] + unscaled.to_bytes(size, "big", signed=True)


@lru_cache(64)
def _time(time: datetime) -> bytes:
    """The records of one frame tell the same times."""
    return _long((time - EPOCH) // _MICROSECOND)


def _int(number: int) -> bytes:
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError(f"{number} is no Avro int")
    return _long(number)


def _long(number: int) -> bytes:
    """Return zigzag (0, -1, 1, -2 are 0, 1, 2, 3), 7 bits a byte, lowest first."""
    rest = number << 1 ^ number >> 63
    if 0 <= rest < _TWO_GROUPS:
        return _LAST[rest]
    if not 0 <= rest < 1 << 64:
        raise OverflowError(f"{number} is no Avro long")
    low, rest = _MORE[rest & _TWO_GROUPS - 1], rest >> 14
    if rest < _TWO_GROUPS:
        return low + _LAST[rest]
    return low + _MORE[rest & _TWO_GROUPS - 1] + _upper(rest >> 14)


@lru_cache(1024)
def _upper(rest: int) -> bytes:
    """Return the groups from the fifth on, which times within 134 s share."""
    body = b""
    while rest >= _TWO_GROUPS:
        body += _MORE[rest & _TWO_GROUPS - 1]
        rest >>= 14
    return body + _LAST[rest]


_TWO_GROUPS = 1 << 14
_SHORT = _TWO_GROUPS >> 1
_MORE = [bytes((low | 0x80, high | 0x80)) for high in range(128) for low in range(128)]
_LAST = [
    bytes((low | 0x80, high) if high else (low,))
    for high in range(128)
    for low in range(128)
]
"""Two groups of 7 bits at once: with more to come, and at the end."""

_PRIMITIVES: dict[str, Writer] = {
    "string": _text,
    "bytes": _bytes,
    "int": _int,
    "long": _long,
}
