"""Each Avro type is written as the specification says, and nothing else is taken."""

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import msgspec
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.decimals import exact
from balance_schemas.writing import writer_of
from strategies import amounts

AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18}
TIME = {"type": "long", "logicalType": "timestamp-micros"}
TEXTS = {"type": "map", "values": "string"}


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (0, b"\x00"),
        (-1, b"\x01"),
        (1, b"\x02"),
        (-64, b"\x7f"),
        (64, b"\x80\x01"),
        (2**63 - 1, b"\xfe" + b"\xff" * 8 + b"\x01"),
        (-(2**63), b"\xff" * 9 + b"\x01"),
    ],
)
def test_numbers_are_zigzag_in_groups_of_seven_bits(number, body):
    """The specification's own examples, and the ends of the range."""
    assert body == writer_of("long")(number)


@given(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300))
def test_numbers_are_written_as_others_write_them(number):
    """Every 64-bit number has the bytes of the reference library."""
    buffer = BytesIO()
    schemaless_writer(buffer, "long", number)
    assert buffer.getvalue() == writer_of("long")(number)


@given(st.text(min_size=50, max_size=90) | st.text())
def test_texts_are_written_as_others_write_them(text):
    """Sizes are bytes, and one or more of them, whatever the text is made of."""
    buffer = BytesIO()
    schemaless_writer(buffer, "string", text)
    assert buffer.getvalue() == writer_of("string")(text)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("int", 2**31), ("int", -(2**31) - 1), ("long", 2**63), ("long", -(2**63) - 1)],
)
def test_numbers_beyond_their_type_are_refused(kind, number):
    """No reader could hold them, so they are never written."""
    with pytest.raises(OverflowError, match=f"{number} is no Avro {kind}"):
        writer_of(kind)(number)


@given(amounts())
def test_equal_amounts_have_equal_bytes(amount):
    """However it was told, an amount is one whole number of 10⁻¹⁸."""
    padded = exact(amount)
    unscaled = int(f"{padded:f}".replace(".", ""))
    buffer = BytesIO()
    schemaless_writer(buffer, parse_schema(AMOUNT), padded)
    write = writer_of(AMOUNT)
    assert [buffer.getvalue()] * 2 == [write(amount), write(padded)]
    assert unscaled == int.from_bytes(write(amount)[1:], "big", signed=True)


@pytest.mark.parametrize("hours", [0, 5, -7])
def test_times_are_microseconds_wherever_their_clock_is(hours):
    """A time of another zone is the same moment."""
    here = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    there = here.astimezone(timezone(timedelta(hours=hours)))
    assert b"\x01" == writer_of(TIME)(there)


def test_null_is_the_first_branch():
    """Nothing is told apart from an empty text."""
    said = msgspec.defstruct("Said", [("text", str | None)])
    fields = [{"name": "text", "type": ["null", "string"]}]
    write = writer_of({"type": "record", "fields": fields})
    assert [b"\x00", b"\x02\x00"] == [write(said(None)), write(said(""))]


def test_collections_are_one_block_and_an_end():
    """An empty collection is the end alone."""
    longs = writer_of({"type": "array", "items": "long"})
    texts = writer_of(TEXTS)
    assert [b"\x00", b"\x04\x02\x04\x00"] == [longs(()), longs((1, 2))]
    assert [b"\x00", b"\x02\x02a\x02b\x00"] == [texts({}), texts({"a": "b"})]


@pytest.mark.parametrize(
    "kind",
    [
        "double",
        {"type": "enum", "name": "E", "symbols": ["A"]},
        ["string", "null"],
        {"type": "record", "fields": [{"type": ["string", "null"]}]},
        {"type": "record", "fields": [{"type": ["null", "string", "long"]}]},
        {"type": "map", "values": "long"},
        {"type": "array", "items": "boolean"},
    ],
)
def test_types_that_no_record_has_are_refused(kind):
    """A new kind of field is seen at once, not written wrongly."""
    with pytest.raises(ValueError, match="no writer for the Avro type"):
        writer_of(kind)
