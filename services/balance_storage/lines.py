"""What is written of a batch: lines for COPY, and what changes beside them. No I/O."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from balance_storage.chain import Link
from balance_storage.facts import BACKFILL, Head

Place = tuple[str, int]
"""(topic, partition)."""

_BINARY = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_BINARY_END = b"\xff\xff"
_id_live = struct.Struct(">hi16siqiiiq").pack
_id_backfilled = struct.Struct(">hi16siiiiq").pack


@dataclass(slots=True)
class Numbers:
    """The numbers that PostgreSQL gave to what a batch names.

    Attributes:
        balances: balance key → balance_id.
        accounts: balance key → account_id.
        places: (topic, partition) → place_id.
    """

    balances: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    places: dict[Place, int] = field(default_factory=dict)


@dataclass(slots=True)
class Beside:
    """What is written beside the tellings themselves, in their order.

    Attributes:
        movements: ledger lines, for `sql.COPY_LINES`.
        ids: new ids with the epoch that told them live first; see `copied_ids`.
        live_epochs: digest of an id that was told again → the epoch that did so last.
        current: balance_id → account_id, number and arrival of what holds now.
        heads: balance key → what holds now.
    """

    movements: list[str] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    live_epochs: dict[str, int] = field(default_factory=dict)
    current: dict[int, tuple[int, int, datetime]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)


def lines(links: Iterable[Link], numbers: Numbers, beside: Beside) -> Iterator[str]:
    """Yield the lines of tellings, for `sql.COPY_TELLINGS`.

    Args:
        links: the tellings in their chains.
        numbers: of all that they name.
        beside: gets the rest, as lines are yielded.
    """
    for telling, account_id, (number, link), tail in links:
        row = telling.row
        placed = row.placed
        event = placed.event
        balance_id = numbers.balances[row.key]
        at = f"{account_id}\t{number}\t"
        if telling.again:
            beside.live_epochs[row.digest] = event.epoch
        else:
            epoch = None if event.kind == BACKFILL else event.epoch
            beside.ids.append(_id(row.digest, epoch, account_id, number))
            beside.movements += [f"{at}{movement}\n" for movement in row.movements]
        if telling.holds and telling.effective_at:
            beside.current[balance_id] = account_id, number, event.received_at
            beside.heads[row.key] = Head(event.epoch, telling.effective_at)
        place_id = numbers.places[placed.topic, placed.partition]
        yield f"{balance_id}\t{at}{place_id}\t{row.line}\t{tail}\t{link.hex()}\n"


def _id(digest: str, epoch: int | None, account_id: int, number: int) -> bytes:
    """Return a row of four columns, each with its size before it; -1 is NULL."""
    uuid = bytes.fromhex(digest)
    if epoch is None:
        return _id_backfilled(4, 16, uuid, -1, 4, account_id, 8, number)
    return _id_live(4, 16, uuid, 8, epoch, 4, account_id, 8, number)


def copied_ids(ids: Iterable[bytes]) -> bytes:
    """Return ids for `sql.COPY_IDS`: in the order of their index, in binary form.

    Their texts would cost PostgreSQL more than their rows.
    """
    return b"".join((_BINARY, *sorted(ids), _BINARY_END))
