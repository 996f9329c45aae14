"""Do today's schemas and the released ones read each other, every pair both ways?

That is what ``FULL_TRANSITIVE`` means. Here it is tried: records made up for one schema
are written with it and read with the other. Two things that Avro lets pass are asked
for as well: an amount or time keeps its unit (Avro would read 1.5 with scale 8 as
0.00000000015), and a field once released stays. The released versions lie in
``released/<number>/``; a release adds a folder and never changes one.
"""

import json
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.utils import generate_many

from balance_schemas.codec import schema_text
from balance_schemas.topics import TOPICS

_UNREADABLE = (
    ArithmeticError,
    EOFError,
    LookupError,
    SchemaResolutionError,
    TypeError,
    ValueError,
)

SAMPLES = 50
"""Records made up for each pair; every branch of a union comes up many times."""


def problems() -> Iterator[str]:
    """Yield a line for each released schema that does not go with today's."""
    for name in sorted({topic.record.__name__ for topic in TOPICS}):
        today = json.loads(schema_text(name))
        for version, text in released(name):
            yield from _between(name, version, json.loads(text), today)


def released(name: str) -> Iterator[tuple[str, str]]:
    """Yield (version, text) of a schema's released versions, oldest first."""
    root = resources.files("balance_schemas") / "released"
    folders = [folder for folder in root.iterdir() if folder.name.isdigit()]
    for folder in sorted(folders, key=_number):
        file = folder / f"{name}.avsc"
        if file.is_file():
            yield folder.name, file.read_text(encoding="utf-8")


def incompatibility(writer: Any, reader: Any) -> str | None:
    """Return why records of one schema cannot be read with another, or None."""
    theirs, ours = dict(_units(writer)), dict(_units(reader))
    for place in theirs.keys() & ours.keys():
        if theirs[place] != ours[place]:
            return f"{place[0]}: {theirs[place]} would be read as {ours[place]}"
    written, read = parse_schema(writer), parse_schema(reader)
    try:
        for record in generate_many(written, SAMPLES):
            buffer = BytesIO()
            schemaless_writer(buffer, written, record)
            buffer.seek(0)
            schemaless_reader(buffer, written, read)
    except _UNREADABLE as error:
        return f"{type(error).__name__}: {error}"
    return None


def _between(name: str, version: str, old: Any, today: Any) -> Iterator[str]:
    if reason := incompatibility(old, today):
        yield f"{name}: cannot read records of version {version}: {reason}"
    if reason := incompatibility(today, old):
        yield f"{name}: version {version} cannot read today's records: {reason}"
    gone = {place for (place, _), _ in _units(old)} - {
        place for (place, _), _ in _units(today)
    }
    for place in sorted(gone):
        yield f"{name}: {place} of version {version} is gone: fields stay"


def _units(kind: Any, place: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    """Yield ((path of a value, its Avro type), its unit), each branch of unions."""
    match kind:
        case list():
            for branch in kind:
                yield from _units(branch, place)
        case {"fields": fields}:
            for field in fields:
                yield from _units(field["type"], f"{place}.{field['name']}".strip("."))
        case {"items": inner} | {"values": inner}:
            yield from _units(inner, f"{place}[]")
        case {"type": str(name)}:
            unit = (kind.get(part) for part in ("logicalType", "precision", "scale"))
            yield (place, name), " ".join(str(part) for part in unit if part)
        case {"type": inner}:
            yield from _units(inner, place)
        case str():
            yield (place, kind), ""


def _number(folder: Traversable) -> int:
    return int(folder.name)
