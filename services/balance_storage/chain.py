"""The chain over each account's tellings: a changed or missing row breaks it. No I/O.

Theory of operation. Every record that is stored of an account gets the next number
and a digest of the one before and of its own bytes: its link. The end of each chain
stands in ``accounts`` and moves in the transaction that stores the rows. So a row that
is changed, lost, added or moved no longer fits, and the first that does not is named.

The bytes are those that PostgreSQL's ``COPY … TO`` writes of the row's `COLUMNS` and
its ledger lines, so that they can be read back as they are. Numbers that PostgreSQL
gave out (ids of accounts, balances and partitions) are not among them: a database made
anew from the same records has the same chains.

Where retention drops rows, the link before the next row that stays is kept in
``chain_starts``: the chain goes on there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

import msgspec

from balance_storage import rows
from balance_storage.facts import Telling

COLUMNS = (
    "balance_key",
    "topic",
    "topic_partition",
    *rows.COLUMNS,
    "effective_at",
    "again",
)
"""What is chained of a row."""

LINK_BYTES = 16


class End(msgspec.Struct, frozen=True, gc=False):
    """Where an account's chain ends.

    Attributes:
        number: of the last row; 0: there is none.
        link: of the last row.
    """

    number: int = 0
    link: bytes = bytes(LINK_BYTES)


class Link(msgspec.Struct, frozen=True, gc=False):
    """A telling in its chain.

    Attributes:
        telling: what is stored.
        account_id: whose chain.
        end: the chain up to and with the telling.
        tail: the columns of its line that follow `rows.COLUMNS`.
    """

    telling: Telling
    account_id: int
    end: End
    tail: str


def link_of(before: bytes, line: str, movements: Sequence[str]) -> bytes:
    """Return the link of a row.

    Args:
        before: the link before it.
        line: its `COLUMNS` as COPY writes them, without the line's end.
        movements: the same of its ledger lines, `rows.MOVEMENT_COLUMNS`, in order.
    """
    text = "\n".join((line, *movements)) if movements else line
    return blake2b(before + text.encode(), digest_size=LINK_BYTES).digest()


def chained(
    told: Iterable[Telling], accounts: Mapping[str, int], ends: dict[int, End]
) -> Iterator[Link]:
    """Yield tellings with their links.

    Args:
        told: in order.
        accounts: balance key → id of its account.
        ends: id of an account → where its chain ends; moved on as links are yielded.
    """
    keys: dict[str, str] = {}
    for telling in told:
        row = telling.row
        place = row.placed
        key = keys.get(row.key)
        if key is None:
            key = keys[row.key] = rows.escaped(row.key)
        account_id = accounts[row.key]
        before = ends[account_id]
        again = "t" if telling.again else "f"
        tail = f"{_effective_text(telling)}\t{again}"
        line = f"{key}\t{place.topic}\t{place.partition}\t{row.line}\t{tail}"
        movements = () if telling.again else row.movements
        end = End(before.number + 1, link_of(before.link, line, movements))
        ends[account_id] = end
        yield Link(telling, account_id, end, tail)


def _effective_text(telling: Telling) -> str:
    """Return when it took effect; mostly it is a time that was written already."""
    time, row = telling.effective_at, telling.row
    event = row.placed.event
    if time is event.received_at:
        return row.received_at
    return row.venue_time if time is event.venue_time else rows.time_text(time)
