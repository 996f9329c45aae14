"""What is written of a batch: lines for COPY, and what changes beside them. No I/O."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from balance_storage.chain import Link
from balance_storage.facts import BACKFILL, Head
from balance_storage.rows import ESCAPES, NULL

Place = tuple[str, int]
"""(topic, partition)."""

_BINARY = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_BINARY_END = b"\xff\xff"
_LEFT = "\\\t\n"
"""What COPY escapes that can stand in lines whose own texts are escaped."""
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
        ids: new ids with the epoch that told them live first; see `copied_ids`.
        live_epochs: digest of an id that was told again → the epoch that did so last.
        current: balance_id → account_id, number and arrival, as it is written, of what
            holds now.
        heads: balance key → what holds now.
    """

    ids: list[bytes] = field(default_factory=list)
    live_epochs: dict[str, int] = field(default_factory=dict)
    current: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)


def lines(links: Iterable[Link], numbers: Numbers, beside: Beside) -> Iterator[str]:
    """Yield the lines of tellings, for `sql.COPY_TELLINGS`.

    Args:
        links: the tellings in their chains.
        numbers: of all that they name.
        beside: gets the rest, as lines are yielded.
    """
    for link in links:
        telling, account_id, number = link.telling, link.account_id, link.end.number
        row = telling.row
        placed = row.placed
        event = placed.event
        balance_id = numbers.balances[row.key]
        if telling.again:
            beside.live_epochs[row.digest] = event.epoch
        else:
            epoch = None if event.kind == BACKFILL else event.epoch
            beside.ids.append(_id(row.digest, epoch, account_id, number))
        if telling.head is not None:
            beside.current[balance_id] = account_id, number, row.received_at
            beside.heads[row.key] = telling.head
        place_id = numbers.places[placed.topic, placed.partition]
        told = copied_lines(() if telling.again else row.movements)
        start = f"{balance_id}\t{account_id}\t{number}\t{place_id}"
        yield f"{start}\t{row.line}\t{link.tail}\t{link.end.link.hex()}\t{told}\n"


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


def merged(current: Mapping[int, tuple[int, int, str]]) -> tuple[str, ...]:
    """Return what holds now as the values of `sql.MERGE`: a text for each column."""
    if not current:
        return ()
    columns = current, *zip(*current.values(), strict=True)
    return tuple(map(joined, columns))


def joined(values: Iterable[int | str]) -> str:
    """Return numbers or times as one text, read faster than an array of them."""
    return ",".join(map(str, values))


def copied_lines(movements: Sequence[str]) -> str:
    """Return ledger lines as one value of COPY, which has no line's end in it.

    Args:
        movements: as `rows.Row` has them.
    """
    if not movements:
        return NULL
    text = "\n".join(movements)
    for special in _LEFT:
        text = text.replace(special, ESCAPES[special])
    return text


def read_lines(value: str) -> tuple[str, ...]:
    """Return the ledger lines that `copied_lines` made one value of."""
    if value == NULL:
        return ()
    text = value.replace("\\\\", "\0")
    for special, marked in ESCAPES.items():
        text = text.replace(marked, special)
    return tuple(text.replace("\0", "\\").split("\n"))
