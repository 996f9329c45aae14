"""From records to rows: lines of PostgreSQL's COPY. No I/O."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Any

import msgspec

from balance_schemas.decimals import plain
from balance_schemas.records import BalanceEvent, Movement
from balance_schemas.writing import EPOCH
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Incoming

SERVICE = "storage"
"""Name of this service in dead letters and metrics."""

KEY_BYTES_MAX = 2000
"""Longest event id or balance key; PostgreSQL cannot index more than about 2,700."""

TEXTS = (
    "event_id",
    "feed",
    "nature",
    "venue_asset",
    "asset_class",
    "network",
    "kind",
    "balance_scope",
)
"""Fields of `BalanceEvent` that are texts, never null, and no part of its key."""

COLUMNS = (
    "topic_offset",
    *TEXTS,
    "snapshot_id",
    "attributes",
    "balance",
    "available",
    "delta",
    "reported_balance",
    "venue_time",
    "received_at",
    "epoch",
    "sequence",
    "snapshot_index",
    "snapshot_size",
)
"""Columns of an event's line: what its balance key and its partition do not say."""

MOVEMENT_TEXTS = (
    "movement_id",
    "reference_id",
    "type",
    "subtype",
    "category",
    "occurred_at_text",
)
MOVEMENT_COLUMNS = (
    "received_at",
    "line",
    *MOVEMENT_TEXTS,
    "attributes",
    "amount",
    "fee",
    "change",
    "occurred_at",
)
"""Columns of a ledger line; the first says when its event arrived."""

Statement = tuple[str, tuple[Any, ...]]
"""A statement and its values."""

NULL = "\\N"
"""The mark of NULL in lines of COPY."""

ESCAPES = {
    "\\": r"\\",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
}
"""What COPY marks in a text; the mark itself comes first."""

_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_NUL = "a text has a NUL character, which PostgreSQL cannot hold"
_texts_of = attrgetter(*TEXTS)
_movement_texts_of = attrgetter(*MOVEMENT_TEXTS)


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An event and where its record lies.

    Attributes:
        event: the record.
        topic: full name of its topic.
        partition: partition of the topic.
        offset: offset in the partition.
    """

    event: BalanceEvent
    topic: str
    partition: int
    offset: int


class Row(msgspec.Struct, frozen=True, gc=False):
    """An event as it is stored.

    Lines are what PostgreSQL itself would write of the row by ``COPY … TO``: they are
    the bytes that `balance_storage.chain` chains, and `verify` reads them back.

    Attributes:
        placed: the event.
        key: its balance key.
        digest: of its id, as `digest_of` makes it.
        venue_time: as it stands in the line.
        received_at: likewise.
        line: its values for COPY, in the order of `COLUMNS`, without the line's end.
        movements: the same of its ledger lines, in the order of `MOVEMENT_COLUMNS`.
    """

    placed: Placed
    key: str
    digest: str
    venue_time: str
    received_at: str
    line: str
    movements: tuple[str, ...]


def digest_of(event_id: str) -> str:
    """Return the 128 bits that stand for an id in indexes, as 32 hexadecimal digits.

    The SQL function ``balancebus.digest_of`` returns the same.
    """
    return sha256(event_id.encode()).hexdigest()[:32]


def row_of(placed: Placed) -> Row:
    """Return the row of an event.

    Raises:
        RecordInvalid: PostgreSQL could not hold it: a NUL character in a text, or an
            event id or key over `KEY_BYTES_MAX`. Dead-letter it.
    """
    event = placed.event
    key = event.key
    _check_size("event_id", event.event_id)
    _check_size("balance key", key)
    if "\0" in key:
        raise RecordInvalid(_NUL)
    venue_time, received_at = time_text(event.venue_time), time_text(event.received_at)
    line = (
        f"{placed.offset}\t{_copied(_texts_of(event))}"
        f"\t{_copied_one(event.snapshot_id)}\t{_attributes(event.attributes)}"
        f"\t{_amount(event.balance)}\t{_amount(event.available)}"
        f"\t{_amount(event.delta)}\t{_amount(event.reported_balance)}"
        f"\t{venue_time}\t{received_at}\t{event.epoch}\t{_number(event.sequence)}"
        f"\t{_number(event.snapshot_index)}\t{_number(event.snapshot_size)}"
    )
    movements = tuple(
        [
            f"{received_at}\t{at}\t{_movement(movement)}"
            for at, movement in enumerate(event.movements)
        ]
    )
    digest = digest_of(event.event_id)
    return Row(placed, key, digest, venue_time, received_at, line, movements)


def _movement(movement: Movement) -> str:
    texts = "\t".join(map(_copied_one, _movement_texts_of(movement)))
    return (
        f"{texts}\t{_attributes(movement.attributes)}"
        f"\t{_amount(movement.amount)}\t{_amount(movement.fee)}"
        f"\t{_amount(movement.change)}\t{time_text(movement.occurred_at)}"
    )


def time_text(time: datetime | None) -> str:
    """Return a time as PostgreSQL writes it, in UTC; the mark of NULL for None."""
    if time is None:
        return NULL
    past = time - EPOCH
    second, micros = _second_text(past.days, past.seconds), past.microseconds
    return f"{second}.{f'{micros:06}'.rstrip('0')}+00" if micros else f"{second}+00"


@lru_cache(4096)
def _second_text(days: int, seconds: int) -> str:
    """Return a second since 1970; many events fall in one."""
    return (EPOCH + timedelta(days, seconds)).isoformat(" ")[:-6]


def escaped(text: str) -> str:
    """Return a text as COPY reads it."""
    for special, marked in ESCAPES.items():
        text = text.replace(special, marked)
    return text


def _check_size(name: str, text: str) -> None:
    # A character is four bytes at most: few texts are long enough to be encoded.
    if len(text) * 4 > KEY_BYTES_MAX and len(text.encode()) > KEY_BYTES_MAX:
        raise RecordInvalid(f"{name} is longer than {KEY_BYTES_MAX} bytes")


def _copied(texts: Collection[str]) -> str:
    """Return texts as COPY reads them; most have nothing to escape."""
    told = "".join(texts)
    if told.isprintable() and "\\" not in told:
        return "\t".join(texts)
    return "\t".join(map(_copied_one, texts))


def _copied_one(text: str | None) -> str:
    if text is None:
        return NULL
    if text.isprintable() and "\\" not in text:
        return text
    if "\0" in text:
        raise RecordInvalid(_NUL)
    return escaped(text)


def _amount(amount: Decimal | None) -> str:
    return NULL if amount is None else plain(amount)


def _number(number: int | None) -> str:
    return NULL if number is None else str(number)


def _attributes(attributes: dict[str, str]) -> str:
    if not attributes:
        return "{}"
    text = msgspec.json.encode(attributes).decode()
    if "\\u0000" in text and _NUL_IN_JSON.search(text):
        raise RecordInvalid(_NUL)
    return _copied_one(text)


Batch = dict[tuple[str, int], list[Incoming]]
"""Records by (topic, partition), in topic order."""


def due(batch: Batch, positions: dict[tuple[str, int], int]) -> Batch:
    """Return the records of a batch that are not stored yet.

    Args:
        batch: as the consumer gave it.
        positions: where each partition goes on; those without one are left out.

    Returns:
        What is at or after the position; partitions with nothing left are left out.
    """
    kept = {
        place: [record for record in records if record.offset >= positions[place]]
        for place, records in batch.items()
        if place in positions
    }
    return {place: records for place, records in kept.items() if records}


def after(batch: Batch) -> dict[tuple[str, int], int]:
    """Return the position just after the last record of each partition."""
    return {place: records[-1].offset + 1 for place, records in batch.items()}


def missing(
    batch: Batch, positions: dict[tuple[str, int], int], compacted: Collection[str] = ()
) -> dict[str, int]:
    """Return how many offsets of each topic were skipped before the batch's records.

    Retention may delete what was not read in time; that must not pass unseen. In a
    topic that is `compacted` (full names), offsets are missing by rights.
    """
    gone: dict[str, int] = {}
    for place, records in batch.items():
        count = records[0].offset - positions[place]
        if count > 0 and place[0] not in compacted:
            gone[place[0]] = gone.get(place[0], 0) + count
    return gone
