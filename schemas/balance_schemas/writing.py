"""Avro bodies from record values: one small writer for each type that a schema names.

fastavro looks for the branch of every union anew, which takes half of its time, and
wants a record as a dict of values in Avro's units, which takes as long again. Here the
schema is read once and becomes a chain of functions; the bytes are the same (tests
write every type both ways). Source: Apache Avro 1.12 specification, "Binary encoding".
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from operator import call
from typing import Any

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
_READY_BYTES_MAX = 64


def writer_of(kind: Any) -> Writer:
    """Return the writer of an Avro type, as `json.loads` gives it.

    Unions are null, then a text, number, amount or time; maps are of texts; a record is
    one of `balance_schemas.records`, whose fields are those of the schema in its order.

    Raises:
        ValueError: no record of ours has such a type.
    """
    match kind:
        case ["null", other]:
            return _nullable(writer_of(other))
        case {"logicalType": "decimal"}:
            return _amount
        case {"logicalType": "timestamp-micros"}:
            return _time
        case {"type": "record", "fields": fields}:
            return _record([writer_of(field["type"]) for field in fields])
        case {"type": "array", "items": items}:
            return _array(writer_of(items))
        case {"type": "map", "values": "string"}:
            return _map
        case str() if kind in _PRIMITIVES:
            return _PRIMITIVES[kind]
    raise ValueError(f"no writer for the Avro type {kind}")


def _record(writers: Sequence[Writer]) -> Writer:
    return lambda record: b"".join(map(call, writers, astuple(record)))


class _Ready(dict[Any, bytes]):
    """Values written lately: an event tells many of them twice, and names for ever.

    A dict that is emptied when it is full costs a value that never comes again less
    than one that finds out which is the oldest.
    """

    def __init__(self, write: Writer) -> None:
        super().__init__()
        self._write = write

    def __missing__(self, value: Any) -> bytes:
        """Write a value, and keep it ready if it is short."""
        body = self._write(value)
        if len(body) <= _READY_BYTES_MAX:
            if len(self) == _READY_MAX:
                self.clear()
            self[value] = body
        return body


def _ready(write: Writer) -> Writer:
    return _Ready(write).__getitem__


def _nullable(write: Writer) -> Writer:
    return _ready(lambda value: _NULL if value is None else _NOT_NULL + write(value))


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


@_ready
def _text(text: str) -> bytes:
    body = text.encode()
    size = len(body)
    return (_SIZES[size] if size < _SIZES_KNOWN else _long(size)) + body


def _bytes(body: bytes) -> bytes:
    return _long(len(body)) + body


@_ready
def _amount(amount: Decimal) -> bytes:
    unscaled = to_unscaled(amount)
    size = (unscaled.bit_length() + 8) // 8
    return _long(size) + unscaled.to_bytes(size, "big", signed=True)


@_ready
def _time(time: datetime) -> bytes:
    return _long((time - EPOCH) // _MICROSECOND)


def _int(number: int) -> bytes:
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError(f"{number} is no Avro int")
    return _long(number)


@_ready
def _long(number: int) -> bytes:
    """Return zigzag (0, -1, 1, -2 are 0, 1, 2, 3), 7 bits a byte, lowest first."""
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError(f"{number} is no Avro long")
    rest = number << 1 ^ number >> 63
    groups = bytearray()
    while rest > 0x7F:  # noqa: PLR2004
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    groups.append(rest)
    return bytes(groups)


_SIZES_KNOWN = 64
_SIZES = tuple(_long(size) for size in range(_SIZES_KNOWN))
"""Sizes of short texts: looking them up is most of the work of writing one."""

_PRIMITIVES: dict[str, Writer] = {
    "string": _text,
    "bytes": _bytes,
    "int": _int,
    "long": _long,
}
