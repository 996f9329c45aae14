"""What cannot be read is told of with its place, its owner, and as much as fits."""

from datetime import UTC, datetime

import pytest

from balance_schemas.codec import decode, frame
from balance_schemas.records import DeadLetter
from balance_schemas.topics import DEAD_LETTERS
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Incoming, dead_letter

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def letter(key="kraken|main||spot/main|BTC", value=b"x", error="broken"):
    """Return what is published of a record, and the letter that is read of it."""
    incoming = Incoming("balances.events.v1", 2, 99, key, value, 0)
    published = dead_letter(incoming, RecordInvalid(error), "storage", NOW)
    return published, decode(DeadLetter, frame(1, published.body))


def test_dead_letter_names_place_and_owner():
    """A reader of the letter finds the record, and knows whose it was."""
    published, told = letter("kra%2Fken|ma%7Cin||x")
    assert (told.venue, told.account) == ("kra/ken", "ma|in")
    assert (told.source_topic, told.source_partition, told.source_offset) == (
        "balances.events.v1",
        2,
        99,
    )
    assert (told.service, told.reason, told.error) == (
        "storage",
        "invalid_record",
        "broken",
    )
    assert (published.topic, published.account) == (DEAD_LETTERS, published.key)
    assert published.key == told.key == "kra%2Fken|ma%7Cin"


@pytest.mark.parametrize("key", [None, "", "kraken", "|main", "kraken|"])
def test_dead_letter_without_a_balance_key_has_no_owner(key):
    """A key of another form is not guessed at."""
    published, told = letter(key)
    assert told.venue == ""
    assert published.key is None
    assert published.account == "|"


def test_dead_letter_of_a_large_record_is_cut():
    """The letter fits on its topic, and says how large the record was."""
    _, told = letter(value=b"x" * 600_000, error="e" * 5000)
    assert len(told.payload) == 512 * 1024
    assert told.payload_size == 600_000
    assert told.error == "e" * 1000


def test_dead_letter_of_a_tombstone_is_empty():
    """A record without a value has a letter without a payload."""
    _, told = letter(value=None)
    assert told.payload == b""
