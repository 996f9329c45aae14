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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from balance_schemas.records import BalanceEvent
from balance_storage.rows import Row

BACKFILL = "backfill"
"""The kind that never is a current balance."""


class Head(NamedTuple):
    """What holds for a key.

    Attributes:
        epoch: epoch of the fact that holds.
        effective_at: when it took effect.
    """

    epoch: int
    effective_at: datetime


class Telling(NamedTuple):
    """A record that is stored.

    Attributes:
        row: the record.
        effective_at: when it took effect; None: never.
        again: its id was told before.
    """

    row: Row
    effective_at: datetime | None
    again: bool


@dataclass(slots=True)
class Settled:
    """What is to be stored of a batch.

    Attributes:
        told: what counts, in order.
        current: balance key → what holds now, for keys that changed.
        new_ids: event id that is new → greatest epoch that told it live; None: none.
        live_epochs: the same of ids that were stored, where that is new.
    """

    told: list[Telling] = field(default_factory=list)
    current: dict[str, Telling] = field(default_factory=dict)
    new_ids: dict[str, int | None] = field(default_factory=dict)
    live_epochs: dict[str, int] = field(default_factory=dict)


def settle(
    rows: Iterable[Row],
    known: Mapping[str, int | None],
    heads: Mapping[str, Head],
    now: datetime,
) -> Settled:
    """Return what is to be stored of a batch.

    Args:
        rows: in topic order for each partition.
        known: ids that are stored already → greatest epoch that told them live.
        heads: balance key → what holds; keys of which nothing does are left out.
        now: time of the storing, UTC.
    """
    settled, live, holds = Settled(), dict(known), dict(heads)
    for row in rows:
        event = row.placed.event
        event_id = event.event_id
        again = event_id in live
        if event.kind == BACKFILL:
            if not again:
                live[event_id] = None
                settled.told.append(Telling(row, time_of(event, now), again=False))
            continue
        told = live.get(event_id)
        if told is not None and told >= event.epoch:
            continue
        live[event_id] = event.epoch
        effective_at = _effective(event, holds.get(row.key), now)
        telling = Telling(row, effective_at, again)
        settled.told.append(telling)
        if effective_at is not None:
            holds[row.key] = Head(event.epoch, effective_at)
            settled.current[row.key] = telling
    for event_id, epoch in live.items():
        if event_id not in known:
            settled.new_ids[event_id] = epoch
        elif epoch is not None and epoch != known[event_id]:
            settled.live_epochs[event_id] = epoch
    return settled


def time_of(event: BalanceEvent, now: datetime) -> datetime:
    """Return when an event happened, as far as can be said."""
    if event.venue_time is None:
        return min(event.received_at, now)
    return min(event.venue_time, event.received_at, now)


def _effective(
    event: BalanceEvent, head: Head | None, now: datetime
) -> datetime | None:
    """Return when a live record takes effect; None if it never does."""
    time = time_of(event, now)
    if head is None:
        return time
    return max(time, head.effective_at) if event.epoch >= head.epoch else None


def months(times: Iterable[datetime]) -> set[datetime]:
    """Return the first moments of the months of these times, UTC."""
    pairs = {(time.year, time.month) for time in times}
    return {datetime(year, month, 1, tzinfo=UTC) for year, month in pairs}
