"""Records to bytes and back: Avro in the Confluent wire format, the only codec.

A value is byte 0, the schema's id in the registry (4 bytes, big-endian), then the Avro
body. `balance_schemas.writing` makes the body and fastavro reads it. Amounts and times
are converted here, field by field: the logical types are dropped from the schemas that
fastavro works with, which gives the same values in less time.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any, TypeVar, cast

from fastavro import parse_schema, schemaless_reader
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from balance_schemas.decimals import SCALE, from_unscaled
from balance_schemas.records import Difference, Movement, Record, RecordUnfitError
from balance_schemas.writing import EPOCH, Writer, writer_of

R = TypeVar("R", bound=Record)
Schema = dict[str, Any]

_MAGIC = b"\0"
_HEADER_BYTES = 5
_AMOUNT_BYTES_MAX = 16
_TIME = "timestamp-micros"


class UndecodableError(ValueError):
    """The bytes are not a record of the type asked for; the text says why."""


def schema_text(name: str) -> str:
    """Return the text of ``avro/<name>.avsc``; KeyError if there is none."""
    file = resources.files("balance_schemas") / "avro" / f"{name}.avsc"
    if not file.is_file():
        raise KeyError(name)
    return file.read_text(encoding="utf-8")


def frame(schema_id: int, body: bytes) -> bytes:
    """Return the Confluent wire format of an Avro body."""
    return _MAGIC + schema_id.to_bytes(4, "big") + body


def schema_id_of(value: bytes) -> int:
    """Return the writer schema's id of a framed value.

    Raises:
        UndecodableError: too short, or the first byte is not 0.
    """
    if len(value) < _HEADER_BYTES or value[:1] != _MAGIC:
        raise UndecodableError(f"no Confluent header in {value[:8]!r}")
    return int.from_bytes(value[1:_HEADER_BYTES], "big")


def encode_body(record: Record) -> bytes:
    """Return the Avro body of a record, without the header.

    Worth having apart: one event goes to two topics with one body.
    """
    return _writer(type(record))(record)


def encode(record: Record, schema_id: int) -> bytes:
    """Return the framed value of a record; `schema_id` is its id in the registry."""
    return frame(schema_id, encode_body(record))


def decode(record_type: type[R], value: bytes, writer: Schema | None = None) -> R:
    """Return the record in a framed value.

    Args:
        record_type: what it should be.
        value: bytes as read from Kafka.
        writer: schema it was written with, as `writer_schema` parsed it; our own if
            None.

    Returns:
        The record, checked.

    Raises:
        UndecodableError: not a record of that type. Dead-letter the value.
    """
    schema_id_of(value)
    shape = _shape(record_type.__name__)
    reader = None if writer is None or writer is shape.schema else shape.schema
    body = BytesIO(value)
    body.seek(_HEADER_BYTES)
    try:
        datum = schemaless_reader(body, writer or shape.schema, reader)
        if body.read(1):
            raise UndecodableError(f"bytes left after {record_type.__name__}")
        return record_type(**shape.from_avro(cast("dict[str, Any]", datum)))
    except RecordUnfitError as error:
        raise UndecodableError(str(error)) from error
    except (
        ArithmeticError,
        EOFError,
        IndexError,
        KeyError,
        MemoryError,
        SchemaResolutionError,
        TypeError,
        ValueError,
    ) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UndecodableError(f"not a {record_type.__name__}: {reason}") from error


def writer_schema(text: str) -> Schema:
    """Return a schema of the registry, ready for `decode`.

    Raises:
        UndecodableError: the text is not an Avro schema, or has amounts or times in
            other units than ours: Avro would take their bytes for ours.
    """
    try:
        schema = json.loads(text)
        _check_units(schema)
        return _ours(cast("Schema", parse_schema(_without_logical_types(schema))))
    except (
        AttributeError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
        SchemaParseException,
    ) as error:
        raise UndecodableError(f"not an Avro schema: {error}") from error


def _ours(schema: Schema) -> Schema:
    """Return our own schema if it is the same: it needs no resolution by the reader."""
    if not isinstance(schema, dict):  # a union, or a type without fields
        return schema
    try:
        own = _shape(str(schema.get("name")).rpartition(".")[2]).schema
    except KeyError:
        return schema
    return own if own == schema else schema


class _Shape:
    """How a datum of fastavro's becomes one record type."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.schema = cast("Schema", parse_schema(_without_logical_types(definition)))
        fields = {field["name"]: field["type"] for field in definition["fields"]}
        found = ((name, _reader_of(kind)) for name, kind in fields.items())
        self._readers = [(name, reader) for name, reader in found if reader]

    def from_avro(self, datum: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of the record type."""
        for name, read in self._readers:
            value = datum[name]
            if value is not None:
                datum[name] = read(value)
        return datum


Converter = Callable[[Any], Any]


def _reader_of(kind: Any) -> Converter | None:
    match _not_null(kind):
        case {"logicalType": "decimal"}:
            return _bytes_to_decimal
        case {"logicalType": "timestamp-micros"}:
            return _micros_to_time
        case {"type": "array", "items": {"type": "record", "name": name} as item}:
            shape, make = _Shape(item), _RECORDS[name]
            return lambda data: tuple(make(**shape.from_avro(datum)) for datum in data)
    return None


def _not_null(kind: Any) -> Any:
    return kind[1] if isinstance(kind, list) else kind


def _bytes_to_decimal(body: bytes) -> Decimal:
    if len(body) > _AMOUNT_BYTES_MAX:  # reading a long integer takes time squared
        raise ValueError(f"amount of {len(body)} bytes, over {_AMOUNT_BYTES_MAX}")
    return from_unscaled(int.from_bytes(body, "big", signed=True))


def _micros_to_time(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _check_units(kind: Any) -> None:
    """Refuse a schema whose amounts or times are not in the units of the bus."""
    if isinstance(kind, list):
        for part in kind:
            _check_units(part)
    elif isinstance(kind, dict):
        logical = str(kind.get("logicalType"))
        other_time = logical.startswith("timestamp-") and logical != _TIME
        if other_time or (logical == "decimal" and kind.get("scale") != SCALE):
            raise ValueError(f"{logical} in other units: {kind}")
        for name, part in kind.items():
            if name != "default":
                _check_units(part)


def _without_logical_types(kind: Any) -> Any:
    """Return the schema with its documentation and logical types left out."""
    if isinstance(kind, list):
        return [_without_logical_types(part) for part in kind]
    if not isinstance(kind, dict):
        return kind
    dropped = ("doc", "logicalType", "precision", "scale")
    return {
        name: part if name == "default" else _without_logical_types(part)
        for name, part in kind.items()
        if name not in dropped
    }


_RECORDS: dict[str, type[Record]] = {"Movement": Movement, "Difference": Difference}


@cache
def _shape(name: str) -> _Shape:
    return _Shape(json.loads(schema_text(name)))


@cache
def _writer(record_type: type[Record]) -> Writer:
    return writer_of(json.loads(schema_text(record_type.__name__)))
