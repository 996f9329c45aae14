"""Bytes are standard Avro, every digit survives, garbage is an error and no more."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import example, given
from hypothesis import strategies as st

from balance_schemas.codec import (
    UndecodableError,
    decode,
    encode,
    encode_body,
    frame,
    schema_id_of,
    schema_text,
    writer_schema,
)
from balance_schemas.decimals import exact
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    DeadLetter,
    Difference,
    Movement,
    RawFrame,
    Reconciliation,
    Record,
)
from strategies import RECORD_TYPES, amounts, any_record, records

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LIMIT = 1_000_000
"""Largest batch of the producer, in bytes."""

types = st.sampled_from(RECORD_TYPES)


def standard_schema(record_type: type[Record]) -> Any:
    """Return the schema as shipped, logical types and all."""
    return parse_schema(json.loads(schema_text(record_type.__name__)))


def plain_values(record: Record) -> dict[str, Any]:
    """Return a record as the dicts and lists that Avro readers know."""
    return {
        name: [plain_values(item) for item in value]
        if isinstance(value, tuple)
        else value
        for name, value in msgspec.structs.asdict(record).items()
    }


def proof(**fields: Any) -> BalanceProof:
    """Return a proof with the fields that matter set."""
    defaults: dict[str, Any] = dict.fromkeys(
        ("venue", "account", "subaccount", "wallet", "wallet_id", "asset"), "x"
    )
    defaults |= dict.fromkeys(("verdict", "method", "reason", "last_event_id"), "x")
    return BalanceProof(**(defaults | {"checked_at": NOW} | fields))


@given(any_record(), st.integers(0, 2**32 - 1))
def test_what_is_read_is_what_was_written(record, schema_id):
    """Every record of every type survives the way there and back."""
    value = encode(record, schema_id)
    assert schema_id == schema_id_of(value)
    assert record == decode(type(record), value)


@given(any_record())
def test_others_read_our_bytes_as_standard_avro(record):
    """A reader without our code, with the schema as shipped, sees the same values."""
    schema = standard_schema(type(record))
    body = BytesIO(encode_body(record))
    assert plain_values(record) == schemaless_reader(body, schema, None)
    assert not body.read()


@given(any_record())
def test_others_write_the_same_bytes(record):
    """A writer without our code, with the schema as shipped, makes the same bytes."""
    schema = standard_schema(type(record))
    values = plain_values(record)
    for name, value in values.items():
        if isinstance(value, Decimal):
            values[name] = exact(value)
        for item in value if isinstance(value, list) else ():
            item |= {
                key: exact(part) for key, part in item.items() if type(part) is Decimal
            }
    buffer = BytesIO()
    schemaless_writer(buffer, schema, values)
    assert buffer.getvalue() == encode_body(record)
    assert record == decode(type(record), frame(1, buffer.getvalue()))


@given(any_record())
def test_schemas_of_the_registry_read_like_our_own(record):
    """A writer schema that came from the registry changes nothing."""
    schema = writer_schema(schema_text(type(record).__name__))
    assert record == decode(type(record), encode(record, 7), schema)


@given(amounts())
def test_every_digit_survives(amount):
    """What is read has the 18 fraction digits of the contract, and the same value."""
    read = decode(BalanceProof, encode(proof(expected=amount), 1)).expected
    assert amount == read
    assert read.as_tuple().exponent == -18


@given(types, st.binary(max_size=300))
@example(BalanceProof, b"")
def test_garbage_is_undecodable_or_a_record(record_type, value):
    """Arbitrary bytes raise the one documented error, whatever is wrong with them."""
    for framed in (value, frame(1, value)):
        try:
            record = decode(record_type, framed)
        except UndecodableError:
            continue
        assert record == decode(record_type, encode(record, 1))


@given(any_record(), st.data())
def test_damaged_records_are_undecodable_or_a_record(record, data):
    """A record cut, stretched or with a byte changed raises the one error or reads."""
    body = bytearray(encode_body(record))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.binary(max_size=6)
    )
    try:
        assert isinstance(decode(type(record), frame(1, bytes(body))), type(record))
    except UndecodableError:
        return


@given(any_record())
def test_bytes_too_many_or_too_few_are_undecodable(record):
    """A record is the whole value."""
    value = encode(record, 1)
    with pytest.raises(UndecodableError, match="bytes left"):
        decode(type(record), value + b"\0")
    with pytest.raises(UndecodableError, match="not a "):
        decode(type(record), value[:-1])


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0", b"\1\0\0\0\1x", b'{"a": 1}'])
def test_value_without_header_is_undecodable(value):
    """What was not framed is told apart at once."""
    with pytest.raises(UndecodableError, match="no Confluent header"):
        schema_id_of(value)


def test_endless_amount_is_undecodable_at_once():
    """A record claiming an amount of a megabyte costs no time."""
    body = BytesIO()
    schema = writer_schema(schema_text("BalanceProof"))
    datum = plain_values(proof()) | {"expected": b"\x7f" * 900_000, "checked_at": 0}
    schemaless_writer(body, schema, datum)
    started = time.process_time()
    with pytest.raises(UndecodableError, match="900000 bytes"):
        decode(BalanceProof, frame(1, body.getvalue()))
    assert time.process_time() - started < 1


def test_amounts_beyond_the_contract_are_undecodable():
    """Bytes that hold 21 integer digits are refused, as the record refuses them."""
    body = BytesIO()
    schema = writer_schema(schema_text("BalanceProof"))
    large = (10**38).to_bytes(16, "big", signed=True)
    datum = plain_values(proof()) | {"expected": large, "checked_at": 0}
    schemaless_writer(body, schema, datum)
    with pytest.raises(UndecodableError, match=r"BalanceProof\.expected"):
        decode(BalanceProof, frame(1, body.getvalue()))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "fields", "items", "logicalType", "x"]),
            inner | st.sampled_from(["record", "array", "string", "bytes", "decimal"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.text(max_size=20) | json_values.map(json.dumps))
def test_foreign_schemas_are_undecodable_or_a_schema(text):
    """Whatever the registry answers, nothing but the one error is raised."""
    try:
        schema = writer_schema(text)
    except UndecodableError:
        return
    with pytest.raises(UndecodableError):
        decode(BalanceProof, encode(proof(), 1) + b"x", schema)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ('"scale": 18', '"scale": 8'),
        ('"timestamp-micros"', '"timestamp-millis"'),
        ('"timestamp-micros"', '"timestamp-nanos"'),
    ],
)
def test_schema_in_other_units_is_undecodable(ours, theirs):
    """Amounts and times that Avro would silently read as ours are refused."""
    text = schema_text("BalanceProof")
    assert ours in text
    with pytest.raises(UndecodableError, match="in other units"):
        writer_schema(text.replace(ours, theirs))


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_our_own_schema_is_read_without_resolution(record_type):
    """Each copy of it in the registry is one value, known to be ours by identity."""
    text = schema_text(record_type.__name__)
    fields = json.loads(text)["fields"]
    older = json.dumps(json.loads(text) | {"fields": fields[:-1]})
    assert writer_schema(text) is writer_schema(f" {text}")
    assert writer_schema(older) is not writer_schema(older)


@pytest.mark.parametrize("text", ['"string"', '["null", "string"]'])
def test_schema_without_fields_is_a_schema(text):
    """That it is none of a record shows when a value is read."""
    with pytest.raises(UndecodableError):
        decode(BalanceEvent, b"\0\0\0\0\1\0", writer_schema(text))


def test_unknown_schema_name_is_a_key_error():
    """There is no text for a schema that does not exist."""
    with pytest.raises(KeyError):
        schema_text("Nothing")


LONG = "x" * 64
MOST = Decimal("-99999999999999999999.999999999999999999")


def worst_event() -> BalanceEvent:
    """Return an event of a venue that sends far more than any does."""
    movement = Movement(
        movement_id=LONG,
        reference_id=LONG,
        type=LONG,
        subtype=LONG,
        category=LONG,
        amount=MOST,
        fee=MOST,
        change=MOST,
        occurred_at=datetime.max.replace(tzinfo=UTC),
        occurred_at_text=LONG,
        attributes={f"{number}{LONG}": LONG for number in range(10)},
    )
    names = [name for name, kind in BalanceEvent.__annotations__.items() if kind is str]
    return BalanceEvent(
        **dict.fromkeys(names, LONG),
        balance=MOST,
        available=MOST,
        delta=MOST,
        reported_balance=MOST,
        movements=(movement,) * 400,
        venue_time=NOW,
        received_at=NOW,
        epoch=2**63 - 1,
        attributes={f"{number}{LONG}": LONG for number in range(100)},
    )


def worst_reconciliation() -> Reconciliation:
    """Return a reconciliation in which thousands of balances differ."""
    difference = Difference(
        subaccount=LONG,
        wallet="collateral_deficiency",
        wallet_id="collateral_deficiency",
        asset="1000000MOG.SOL",
        streamed=MOST,
        observed=MOST,
        residual=MOST,
        cause=LONG,
    )
    return Reconciliation(
        venue=LONG,
        account=LONG,
        requested_at=NOW,
        answered_at=NOW,
        verdict="inconsistent",
        checked=2**31 - 1,
        differences=(difference,) * 4_000,
    )


@pytest.mark.parametrize(
    "record",
    [
        worst_event(),
        worst_reconciliation(),
        DeadLetter(
            venue=LONG,
            account=LONG,
            service=LONG,
            reason=LONG,
            error=LONG * 1000,
            received_at=NOW,
            payload=b"\xff" * 512_000,
            payload_size=2**62,
        ),
        RawFrame(
            venue=LONG,
            account=LONG,
            feed="rest",
            epoch=2**63 - 1,
            index=2**63 - 1,
            received_at=NOW,
            source=LONG,
            part=1,
            parts=2,
            payload=b"\xff" * 900_000,
        ),
    ],
    ids=lambda record: type(record).__name__,
)
def test_worst_record_fits_a_batch(record):
    """The largest records that the contract allows fit the producer's largest batch."""
    assert len(encode(record, 2**32 - 1)) + len(record.key) + 100 < LIMIT


@given(records(BalanceEvent))
def test_same_record_gives_the_same_bytes(event):
    """Encoding is a function of the record: replay compares bytes."""
    again = decode(BalanceEvent, encode(event, 1))
    assert encode_body(event) == encode_body(again)
