"""Record types are their schemas, and refuse what the contract does not allow."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib import resources
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.codec import schema_text
from balance_schemas.keys import account_key, balance_key, status_key
from balance_schemas.records import (
    Acknowledgement,
    Alert,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    DeadLetter,
    Difference,
    Movement,
    RawFrame,
    Reconciliation,
    Record,
    RecordUnfitError,
)
from strategies import RECORD_TYPES, UNFIT_AMOUNTS, names

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18}
TIME = {"type": "long", "logicalType": "timestamp-micros"}
AVRO: dict[Any, tuple[Any, ...]] = {
    str: ("string",),
    int: ("int", "long"),
    bytes: ("bytes",),
    Decimal: (DECIMAL,),
    datetime: (TIME,),
    dict[str, str]: ({"type": "map", "values": "string"},),
}
"""Python type → the Avro types that it may stand for."""

ALL_TYPES: tuple[type[Record], ...] = (*RECORD_TYPES, Movement, Difference)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

MINIMAL: dict[type[Record], dict[str, Any]] = {
    Acknowledgement: {"venue": "kraken", "account": "main", "subaccount": "s/1"}
    | {"wallet": "spot", "wallet_id": "main", "asset": "BTC", "by": "treasury"}
    | {"note": "", "through": NOW, "acknowledged_at": NOW},
    Alert: {"alert_id": "a", "rule": "r", "severity": "", "state": "firing"}
    | {"summary": "", "description": "", "started_at": NOW, "updated_at": NOW},
    BalanceEvent: {"event_id": "e", "venue": "kraken", "account": "main"}
    | {"subaccount": "s/1", "feed": "ws", "wallet": "spot", "wallet_id": "main"}
    | {"nature": "asset", "asset": "BTC", "venue_asset": "XXBT", "asset_class": ""}
    | {"network": "", "kind": "update", "balance": Decimal(1), "balance_scope": ""}
    | {"received_at": NOW, "epoch": 1},
    BalanceProof: {"venue": "kraken", "account": "main", "subaccount": "s/1"}
    | {"wallet": "spot", "wallet_id": "main", "asset": "BTC", "verdict": "PROVEN"}
    | {"method": "", "reason": "", "checked_at": NOW, "last_event_id": ""},
    ConnectorStatus: {"venue": "kraken", "account": "main", "feed": "ws"}
    | {"state": "live", "reason": "", "epoch": 1, "since": NOW}
    | {"instance": "", "version": ""},
    DeadLetter: {"venue": "kraken", "account": "main", "service": "s", "reason": "r"}
    | {"error": "", "received_at": NOW, "payload": b"", "payload_size": 0},
    Difference: {"subaccount": "", "wallet": "", "wallet_id": "", "asset": ""}
    | {"residual": Decimal(0), "cause": ""},
    Movement: {"movement_id": "m"},
    RawFrame: {"venue": "kraken", "account": "main", "feed": "ws", "epoch": 1}
    | {"index": 0, "received_at": NOW, "source": "stream", "part": 0, "parts": 1}
    | {"payload": b""},
    Reconciliation: {"venue": "kraken", "account": "main", "requested_at": NOW}
    | {"answered_at": NOW, "verdict": "consistent", "checked": 0},
}
"""The least that each type takes: fields without a default."""


def schema_of(record_type: type[Record]) -> dict[str, Any]:
    """Return the schema of a record type, nested ones from the schema around them."""
    outer = {Movement: BalanceEvent, Difference: Reconciliation}.get(record_type)
    definition = json.loads(schema_text((outer or record_type).__name__))
    if outer is None:
        return definition
    kinds = [field["type"] for field in definition["fields"]]
    items = [
        kind["items"] for kind in kinds if isinstance(kind, dict) if "items" in kind
    ]
    (found,) = [item for item in items if item["name"] == record_type.__name__]
    return found


def fields_of(kind: Any) -> list[tuple[type[Record], str]]:
    """Return (type, field) of all fields of all types that are of one kind."""
    return [
        (record_type, name)
        for record_type in ALL_TYPES
        for name, hint in get_type_hints(record_type).items()
        if hint in (kind, kind | None)
    ]


def refused(record_type: type[Record], name: str, value: Any) -> str:
    """Return the text with which a value of one field is refused."""
    with pytest.raises(RecordUnfitError) as caught:
        record_type(**MINIMAL[record_type] | {name: value})
    return str(caught.value)


all_types = pytest.mark.parametrize("record_type", ALL_TYPES)


@all_types
def test_fields_are_those_of_the_schema(record_type):
    """Names and order are the same in code and schema."""
    fields = [field["name"] for field in schema_of(record_type)["fields"]]
    assert fields == list(record_type.__struct_fields__)


@all_types
def test_types_are_those_of_the_schema(record_type):
    """Types and nullability are the same in code and schema."""
    hints = get_type_hints(record_type)
    for field in schema_of(record_type)["fields"]:
        kind, hint = field["type"], hints[field["name"]]
        if isinstance(kind, list):
            null, kind = kind
            assert null == "null"
            (hint,) = set(get_args(hint)) - {type(None)}
        if isinstance(kind, dict) and kind["type"] == "array":
            item, _ = get_args(hint)
            assert kind["items"]["name"] == item.__name__
        else:
            assert kind in AVRO[hint], field["name"]


@all_types
def test_defaults_are_those_of_the_schema(record_type):
    """What may be left out in code is what readers of older records fill in."""
    found = msgspec.structs.fields(record_type)
    for field, ours in zip(schema_of(record_type)["fields"], found, strict=True):
        default = ours.default
        if ours.default_factory is not msgspec.NODEFAULT:
            default = ours.default_factory()
        if default is msgspec.NODEFAULT:
            assert "default" not in field, ours.name
        elif isinstance(field["type"], list):
            assert (None, None) == (default, field["default"]), ours.name
        elif "default" in field:
            kind = list if isinstance(default, tuple) else type(default)
            assert kind(default) == field["default"], ours.name


@all_types
def test_every_schema_and_field_is_documented(record_type):
    """The schema is what other teams read: each field says what it is, in a sentence."""
    schema = schema_of(record_type)
    for part in (schema, *schema["fields"]):
        assert len(part["doc"]) > 10, part["name"]
        assert part["doc"].endswith((".", "?")), part["name"]
    assert schema["namespace"] == "balancebus.v1"
    assert record_type.__doc__


def test_every_schema_file_has_its_type():
    """No schema lies about that no type stands for."""
    root = resources.files("balance_schemas") / "avro"
    files = {file.name for file in root.iterdir()}
    assert {f"{record_type.__name__}.avsc" for record_type in RECORD_TYPES} == files


@all_types
def test_required_fields_are_enough(record_type):
    """The rest has defaults, and the defaults are allowed."""
    assert record_type(**MINIMAL[record_type])


@pytest.mark.parametrize(("record_type", "name"), fields_of(Decimal))
def test_unfit_amount_is_refused_by_name(record_type, name):
    """The text names the record and the field, whatever is wrong with the amount."""
    for amount in UNFIT_AMOUNTS:
        text = refused(record_type, name, amount)
        assert text.startswith(f"{record_type.__name__}.{name}: amount ")


@pytest.mark.parametrize(("record_type", "name"), fields_of(datetime))
@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 — naive times are what is refused
        datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(microseconds=1))),
        datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/London")),
    ],
    ids=["naive", "hour", "microsecond", "summer"],
)
def test_time_not_in_utc_is_refused_by_name(record_type, name, time):
    """Naive times and other zones are told apart from UTC; the text names the field."""
    text = refused(record_type, name, time)
    assert text.startswith(f"{record_type.__name__}.{name}: ")
    assert text.endswith("is not in UTC")


@pytest.mark.parametrize(
    ("record_type", "name"),
    [(record_type, name) for record_type in ALL_TYPES for name in record_type.NAMED],
)
def test_empty_name_is_refused_by_name(record_type, name):
    """What keys and readers rely on is not empty."""
    assert f"{record_type.__name__}.{name} is empty" == refused(record_type, name, "")


def test_every_type_names_what_its_key_is_made_of():
    """A key never has an empty venue or account, where there is one."""
    for record_type in set(RECORD_TYPES) - {Alert, DeadLetter}:
        assert {"venue", "account"} <= set(record_type.NAMED)


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_records_cannot_be_changed(record_type):
    """What was checked stays as it was checked."""
    record = record_type(**MINIMAL[record_type])
    with pytest.raises(AttributeError):
        setattr(record, record_type.__struct_fields__[0], "other")


BALANCE = ("kraken", "main", "s/1", "spot", "main", "BTC")


@pytest.mark.parametrize(
    ("record_type", "key"),
    [
        (BalanceEvent, balance_key(*BALANCE)),
        (BalanceProof, balance_key(*BALANCE)),
        (Acknowledgement, balance_key(*BALANCE)),
        (RawFrame, account_key("kraken", "main")),
        (Reconciliation, account_key("kraken", "main")),
        (DeadLetter, account_key("kraken", "main")),
        (ConnectorStatus, status_key("kraken", "main", "ws")),
        (Alert, "a"),
    ],
)
def test_keys_are_those_of_the_contract(record_type, key):
    """Each record knows its key."""
    assert key == record_type(**MINIMAL[record_type]).key


def test_dead_letter_of_no_account_has_no_key():
    """A value of which not even the account is known goes without a key."""
    assert DeadLetter(**MINIMAL[DeadLetter] | {"venue": "", "account": ""}).key is None


@given(st.sampled_from(sorted(set(RECORD_TYPES) - {Alert}, key=str)), names())
def test_records_of_one_account_share_its_key(record_type, account):
    """All keys with an account begin with its key."""
    record = record_type(**MINIMAL[record_type] | {"account": account})
    assert f"{record.key}|".startswith(f"{account_key('kraken', account)}|")
