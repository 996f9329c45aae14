"""Old and new schemas read each other, and a change that breaks that is found."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from balance_schemas import compatibility
from balance_schemas.codec import decode, frame, schema_text, writer_schema
from balance_schemas.compatibility import incompatibility, problems, released
from balance_schemas.writing import writer_of
from strategies import RECORD_TYPES, any_record

EVENT = json.loads(schema_text("BalanceEvent"))


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Return the event's schema with a change made to its fields by name."""
    schema = deepcopy(EVENT)
    fields = {field["name"]: field for field in schema["fields"]}
    change(fields)
    schema["fields"] = list(fields.values())
    return schema


def broken(schema: Any) -> bool:
    """Return whether a schema does not go with today's, in either direction."""
    return bool(incompatibility(EVENT, schema) or incompatibility(schema, EVENT))


def test_todays_schemas_go_with_the_released_ones():
    """This is what `balancebus schemas check` asks."""
    assert list(problems()) == []


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_every_schema_has_been_released(record_type):
    """Nothing is on the bus that no release holds in place."""
    versions = list(released(record_type.__name__))
    assert versions
    assert [version for version, _ in versions] == sorted(
        (version for version, _ in versions), key=int
    )


@given(any_record())
def test_records_cross_the_releases(record):
    """Today's code reads today's records as every release would have written them."""
    for _, text in released(type(record).__name__):
        then = json.loads(text)
        told = {
            field["name"]: getattr(record, field["name"]) for field in then["fields"]
        }
        written = frame(1, writer_of(then)(record))  # fields of today come last
        assert type(record)(**told) == decode(
            type(record), written, writer_schema(text)
        )


NULLABLE = {"name": "new", "type": ["null", "string"], "default": None, "doc": "New."}


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(new=NULLABLE),
        lambda fields: fields["asset"].update(doc="Said better."),
    ],
    ids=["nullable field", "documentation"],
)
def test_additions_are_compatible(change):
    """A field with a default may come, and words may change."""
    assert not broken(changed(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(new={"name": "new", "type": "string"}),
        lambda fields: fields.pop("asset"),
        lambda fields: fields["asset"].update(name="coin"),
        lambda fields: fields["epoch"].update(type="string"),
        lambda fields: fields["epoch"].update(type="int"),
        lambda fields: fields["snapshot_index"].update(type=["null", "long"]),
        lambda fields: fields["asset"].update(type=["null", "string"]),
        lambda fields: fields["sequence"].update(type="long", default=0),
        lambda fields: fields["balance"]["type"].update(scale=8),
        lambda fields: fields["delta"]["type"][1].update(scale=8),
        lambda fields: fields["balance"]["type"].update(precision=20),
        lambda fields: fields["received_at"].update(type="long"),
        lambda fields: fields["venue_time"]["type"][1].update(
            logicalType="timestamp-millis"
        ),
        lambda fields: fields["movements"]["type"]["items"]["fields"][5]["type"][
            1
        ].update(scale=6),
        lambda fields: fields["kind"].update(
            type={"type": "enum", "name": "Kind", "symbols": ["update"]}
        ),
    ],
    ids=[
        "field without default",
        "field gone",
        "field renamed",
        "long to string",
        "long to int",
        "int to long",
        "made nullable",
        "made required",
        "scale",
        "scale of a nullable field",
        "precision",
        "time to number",
        "microseconds to milliseconds",
        "scale of a movement",
        "string to enum",
    ],
)
def test_breaking_changes_are_found(change):
    """Each of these would stop a team that upgrades first or last."""
    assert broken(changed(change))


def test_problems_name_the_schema_and_the_version(monkeypatch):
    """Whoever broke it reads what, in both directions."""
    theirs = {"name": "theirs", "type": "string", "doc": "Gone."}
    text = json.dumps(
        changed(lambda fields: (fields.pop("asset"), fields.update(theirs=theirs)))
    )

    def old(name):
        yield from [("1", text)] if name == "BalanceEvent" else []

    monkeypatch.setattr(compatibility, "released", old)
    unread, unreadable, gone = problems()
    assert unread.startswith("BalanceEvent: cannot read records of version 1: ")
    assert unreadable.startswith(
        "BalanceEvent: version 1 cannot read today's records: "
    )
    assert gone == "BalanceEvent: theirs of version 1 is gone: fields stay"


def test_field_that_is_gone_is_a_problem(monkeypatch):
    """Avro lets nullable fields go; the contract does not."""
    text = json.dumps(changed(lambda fields: fields.update(new=NULLABLE)))

    def old(name):
        yield from [("3", text)] if name == "BalanceEvent" else []

    monkeypatch.setattr(compatibility, "released", old)
    assert ["BalanceEvent: new of version 3 is gone: fields stay"] == list(problems())
