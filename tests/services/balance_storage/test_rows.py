"""Records become rows, exactly; what PostgreSQL cannot hold is refused."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.records import Movement
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Incoming
from balance_storage import rows

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UNESCAPED = {
    "\\\\": "\\",
    "\\b": "\b",
    "\\f": "\f",
    "\\n": "\n",
    "\\r": "\r",
    "\\t": "\t",
    "\\v": "\v",
}


def fields(event):
    """Return column → text of a row, None for NULL, as PostgreSQL reads COPY."""
    return read(rows.row_of(rows.Placed(event, "t", 3, 42)).line, rows.COLUMNS)


def read(line, columns):
    """Return column → text of a line, None for NULL."""
    texts = [None if text == "\\N" else unescape(text) for text in line.split("\t")]
    return dict(zip(columns, texts, strict=True))


def unescape(text):
    """Return a text as PostgreSQL reads it from COPY."""
    pairs, read = iter(text), ""
    for character in pairs:
        read += UNESCAPED[character + next(pairs)] if character == "\\" else character
    return read


def test_every_field_of_an_event_has_a_column(make_event):
    """What the line leaves out is in the balance key; ledger lines have their own."""
    in_key = {"venue", "account", "subaccount", "wallet", "wallet_id", "asset"}
    left_out = {*in_key, "movements"}
    assert set(make_event().__struct_fields__) - left_out <= set(rows.COLUMNS)


def test_amounts_are_written_with_every_digit(make_event):
    """Eighteen fraction digits and twenty integer digits arrive as they are."""
    amount = Decimal("-12345678901234567890.123456789012345678")
    row = fields(make_event(balance=amount, delta=amount, available=None))
    assert str(amount) == row["balance"] == row["delta"]
    assert row["available"] is None


def test_row_has_key_place_and_times(make_event):
    """A row says which balance it is about and where its record lies."""
    event = make_event(subaccount="a|b", sequence=5)
    assert rows.row_of(rows.Placed(event, "t", 3, 42)).key == (
        "kraken|main|a%7Cb|spot/main|BTC"
    )
    row = fields(event)
    assert row["topic_offset"] == "42"
    assert row["received_at"] == "2026-03-01 12:00:00.123456+00"
    assert row["sequence"] == "5"
    assert row["venue_time"] is None


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [
        (0, "2026-03-01 10:00:00+00"),
        (120000, "2026-03-01 10:00:00.12+00"),
        (1, "2026-03-01 10:00:00.000001+00"),
    ],
)
def test_times_are_written_as_postgresql_writes_them(microsecond, text):
    """What is chained is what the database gives back."""
    time = datetime(2026, 3, 1, 10, microsecond=microsecond, tzinfo=UTC)
    assert text == rows.time_text(time)


def test_ledger_lines_are_rows_of_their_own(make_event):
    """Each line of an event is numbered, keyed to it, and exact."""
    movement = Movement(
        movement_id="L\t1",
        amount=Decimal("0.100000000000000001"),
        fee=Decimal("0E-18"),
        occurred_at=NOW,
        attributes={"a": "b"},
    )
    event = make_event(movements=(movement, Movement(movement_id="L2")))
    row = rows.row_of(rows.Placed(event, "t", 3, 42))
    first, second = (read(line, rows.MOVEMENT_COLUMNS) for line in row.movements)
    assert first["received_at"] == "2026-03-01 12:00:00.123456+00"
    assert ("0", "L\t1") == (first["line"], first["movement_id"])
    assert (first["amount"], first["fee"], first["change"]) == (
        "0.100000000000000001",
        "0",
        None,
    )
    assert first["occurred_at"] == "2026-03-01 00:00:00+00"
    assert json.loads(first["attributes"]) == {"a": "b"}
    assert (second["line"], second["movement_id"]) == ("1", "L2")
    assert second["occurred_at"] is None


def test_digest_of_an_id_is_128_bits_of_sha_256():
    """The SQL function says the same, which test_schema compares."""
    assert rows.digest_of("a") == "ca978112ca1bbdcafac231b39a23dc4d"


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_survives(make_event, text):
    """Tabs, newlines, backslashes and the NULL mark come back as they went in."""
    row = fields(make_event(venue_asset=text, attributes={text: text}))
    assert text == row["venue_asset"]
    assert json.loads(row["attributes"]) == {text: text}


@pytest.mark.parametrize(
    "unfit",
    [
        {"venue_asset": "a\0b"},
        {"snapshot_id": "\0"},
        {"attributes": {"a": "\0"}},
        {"attributes": {"\\\0": ""}},
        {"movements": (Movement(movement_id="\0"),)},
        {"event_id": "x" * 2001},
        {"event_id": "é" * 1001},
        {"asset": "\0"},
        {"asset": "x" * 2000},
    ],
)
def test_what_the_database_cannot_hold_is_refused(make_event, unfit):
    """A record that would stop every batch is refused before it gets there."""
    with pytest.raises(RecordInvalid):
        fields(make_event(**unfit))


def test_backslash_before_u0000_is_no_nul(make_event):
    """The six characters of an escape are an ordinary text."""
    row = fields(make_event(attributes={"a": "\\u0000"}))
    assert json.loads(row["attributes"]) == {"a": "\\u0000"}


def record(offset, topic="t"):
    """Return a record with an offset."""
    return Incoming(topic, 0, offset, None, None, 0)


def test_records_below_the_position_are_not_due():
    """What is stored is not stored again; partitions with nothing left are dropped."""
    batch = {("t", 0): [record(4), record(5)], ("t", 1): [record(1)]}
    positions = {("t", 0): 5, ("t", 1): 2}
    assert {("t", 0): [record(5)]} == rows.due(batch, positions)


def test_records_of_an_unknown_partition_are_not_due():
    """Without a position nothing is stored."""
    assert rows.due({("t", 0): [record(0)]}, {}) == {}


def test_position_goes_after_the_last_record():
    """The next record is the one after the last."""
    assert rows.after({("t", 0): [record(4), record(9)]}) == {("t", 0): 10}


def test_missing_counts_offsets_that_were_skipped():
    """Retention that was faster than we are is counted by topic."""
    batch = {("t", 0): [record(7)], ("t", 1): [record(3)], ("u", 0): [record(0)]}
    positions = {("t", 0): 5, ("t", 1): 2, ("u", 0): 0}
    assert rows.missing(batch, positions) == {"t": 3}
