"""Which records are facts, when each took effect, and what holds now. No I/O.

One id, one fact: of records that repeat an id, the first is kept in ``events``. Which
of them count for the current balance? Backfill never does. The update that repeats a
backfill does, since the balance has not seen it. The same id in a greater epoch does
too: a new connection told its own truth. The same id again in the same epoch (or an
older one) does not: it is an echo, and newer events must not be undone by it. The
repetitions that do count are kept in ``retellings``.

When does a fact take effect (``effective_at``)? Its time is the venue's, or that of its
arrival where the venue says none; never later than its arrival or than now, for nothing
happens after it is known.

* A backfill takes effect at its time.
* A snapshot, update or absent takes effect at its time, but not before what it
  replaces did: the order in which a feed tells is the order of the balances.
* A record of an older epoch than its key's never held: it takes effect never (null).

So the greatest ``effective_at`` (of equal ones the greater epoch, then the later
offset) that is not after T is what was true at T, and for the end of time that is the
current balance of the contract, unless a backfill is newer than all that is told live.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from balance_schemas.records import BalanceEvent
from balance_storage.rows import Row

BACKFILL = "backfill"
"""The kind that never is a current balance."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """What holds for a key.

    Attributes:
        epoch: epoch of the fact that holds.
        effective_at: when it took effect.
    """

    epoch: int
    effective_at: datetime


class Telling(msgspec.Struct, frozen=True, gc=False):
    """A record that is stored.

    Attributes:
        row: the record.
        effective_at: when it took effect; None: never.
        again: its id was told before.
        head: what holds for its key with it, until the next that has one; None: it
            does not hold.
    """

    row: Row
    effective_at: datetime | None
    again: bool
    head: Head | None


def settle(
    rows: Iterable[Row],
    known: Mapping[str, int | None],
    heads: Mapping[str, Head],
    now: datetime,
) -> Iterator[Telling]:
    """Yield what is to be stored of a batch, in order.

    Args:
        rows: in topic order for each partition.
        known: digests of ids that are stored already → greatest epoch that told them
            live; None: none.
        heads: balance key → what holds; keys of which nothing does are left out.
        now: time of the storing, UTC.
    """
    live, holds = dict(known), dict(heads)
    for row in rows:
        event, digest = row.placed.event, row.digest
        again = digest in live
        if event.kind == BACKFILL:
            if not again:
                live[digest] = None
                yield Telling(row, time_of(event, now), again=False, head=None)
            continue
        told = live.get(digest)
        if told is not None and told >= event.epoch:
            continue
        live[digest] = event.epoch
        head = _head(event, holds.get(row.key), now)
        if head is not None:
            holds[row.key] = head
        yield Telling(row, head.effective_at if head else None, again, head)


def time_of(event: BalanceEvent, now: datetime) -> datetime:
    """Return when an event happened, as far as can be said."""
    told, arrived = event.venue_time, event.received_at
    time = arrived if told is None or arrived < told else told
    return min(time, now)


def _head(event: BalanceEvent, before: Head | None, now: datetime) -> Head | None:
    """Return what holds with a live record; None if the record never does."""
    time = time_of(event, now)
    if before is None:
        return Head(event.epoch, time)
    if event.epoch < before.epoch:
        return None
    return Head(event.epoch, max(time, before.effective_at))


def months(times: Iterable[datetime]) -> set[datetime]:
    """Return the first moments of the months of these times, UTC."""
    pairs = {(time.year, time.month) for time in times}
    return {datetime(year, month, 1, tzinfo=UTC) for year, month in pairs}
