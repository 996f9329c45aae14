"""From what a protocol says to records on their way: frames, events, dead letters."""

from collections import Counter as CountOf
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace
from prometheus_client import Counter

from balance_connector.books import Account
from balance_connector.opening import OPENING, Opening
from balance_connector.outbox import Entry, Outbox
from balance_connector.status import Board
from balance_schemas.codec import encode_body
from balance_schemas.records import BalanceEvent, DeadLetter, RawFrame
from balance_schemas.topics import DEAD_LETTERS, EVENTS, FRAMES, LATEST
from balance_shared.clock import Clock
from balance_shared.errors import BusInterrupted, FrameInvalid
from balance_shared.kafka import (
    ERROR_CHARS_MAX,
    PAYLOAD_BYTES_MAX,
    Outgoing,
    outgoing,
)

PART_BYTES_MAX = 900_000
"""Frames larger than this are split into parts."""

CHUNK_EVENTS = 500
"""Events encoded between two turns of the event loop."""


class Teller:
    """Tells what one epoch of one feed has to say, in order.

    Args:
        account: whose feed.
        board: the feed's status.
        outbox: where it goes.
        clock: for ages.
    """

    def __init__(
        self, account: Account, board: Board, outbox: Outbox, clock: Clock
    ) -> None:
        self._account = account
        self._key = account.key
        self._feed = board.feed
        self._board = board
        self._outbox = outbox
        self._clock = clock
        self._epoch = 0
        self._index = 0
        self._losses = 0
        self._opening: Opening | None = None

    def begin(self, epoch: int, opening: Opening | None = None) -> None:
        """Start an epoch: frames are numbered from 0 again.

        Args:
            epoch: as in the records.
            opening: what was known; kept with the first frame.
        """
        self._epoch = epoch
        self._index = 0
        before = self._opening
        if opening and before and before.read:  # the epoch before it kept no frame
            opening = replace(opening, read=True)
        self._opening = opening
        self._losses = self._outbox.losses

    async def tell(
        self,
        payload: bytes,
        source: str,
        received_at: datetime,
        *,
        events: Iterable[BalanceEvent] = (),
        invalid: FrameInvalid | None = None,
        attributes: Mapping[str, str] | None = None,
        keep: bool = True,
    ) -> None:
        """Hand over a frame, its events and, if need be, its dead letter.

        Returns when there is room for more.

        Args:
            payload: the frame as received.
            source: as in ``RawFrame``.
            received_at: when it arrived.
            events: what follows from it, in order; iterated once.
            invalid: why it, or part of it, cannot be read.
            attributes: what a replay has to know beside the bytes.
            keep: whether it belongs on the frames topic.

        Raises:
            BusInterrupted: earlier entries of this epoch were dropped, so that readers
                miss something: take a new picture.
        """
        time_ms = int(received_at.timestamp() * 1000)
        records: list[Outgoing] = []
        if invalid is not None:
            self._board.count.rejected(invalid.reason)
            letter = self._dead_letter(payload, received_at, invalid)
            records.append(outgoing(DEAD_LETTERS, self._key, letter, time_ms))
        if keep:
            records += self._frame(
                payload, source, received_at, time_ms, attributes or {}
            )
        told = iter(events)
        chunk = list(islice(told, CHUNK_EVENTS))
        if chunk:
            self._board.last_event_at = received_at
        await self._put(records, chunk, time_ms, frames=1)
        while len(chunk) == CHUNK_EVENTS:
            await self._clock.sleep(0)
            chunk = list(islice(told, CHUNK_EVENTS))
            await self._put([], chunk, time_ms, frames=0)

    async def _put(
        self,
        records: list[Outgoing],
        events: Sequence[BalanceEvent],
        time_ms: int,
        frames: int,
    ) -> None:
        for event in events:
            body, key = encode_body(event), event.key
            records.append(Outgoing(EVENTS, self._key, key, body, time_ms))
            if event.kind != "backfill":
                records.append(Outgoing(LATEST, self._key, key, body, time_ms))
        if not records:
            return
        if self._outbox.full:
            await self._outbox.room()
        if self._outbox.losses != self._losses:
            raise BusInterrupted(self._outbox.loss)
        size = sum(len(record.body) for record in records)
        entry = Entry(
            records,
            self._clock.monotonic(),
            frames,
            size,
            self._counters(events),
            events[0].venue_time if events else None,
        )
        self._outbox.put(entry)

    def _counters(
        self, events: Sequence[BalanceEvent]
    ) -> tuple[tuple[Counter, int], ...]:
        """Return what to count once the events are acknowledged."""
        counts = self._board.count
        if len(events) == 1:
            return ((counts.events(events[0].kind), 1),)
        kinds = CountOf(event.kind for event in events)
        return tuple((counts.events(kind), number) for kind, number in kinds.items())

    def _frame(
        self,
        payload: bytes,
        source: str,
        received_at: datetime,
        time_ms: int,
        attributes: Mapping[str, str],
    ) -> list[Outgoing]:
        """Return the records of a frame; the first one carries the attributes."""
        said = dict(attributes)
        if self._opening is not None:
            said[OPENING], self._opening = self._opening.written(), None
        starts = range(0, len(payload), PART_BYTES_MAX) or range(1)
        records = [
            outgoing(
                FRAMES,
                self._key,
                RawFrame(
                    venue=self._account.venue,
                    account=self._account.alias,
                    feed=self._feed,
                    epoch=self._epoch,
                    index=self._index,
                    received_at=received_at,
                    source=source,
                    part=part,
                    parts=len(starts),
                    payload=payload[start : start + PART_BYTES_MAX],
                    attributes={} if part else said,
                ),
                time_ms,
            )
            for part, start in enumerate(starts)
        ]
        self._index += 1
        return records

    def _dead_letter(
        self, payload: bytes, received_at: datetime, invalid: FrameInvalid
    ) -> DeadLetter:
        return DeadLetter(
            venue=self._account.venue,
            account=self._account.alias,
            service="connector",
            reason=invalid.reason,
            error=str(invalid)[:ERROR_CHARS_MAX],
            feed=self._feed,
            epoch=self._epoch,
            index=self._index,
            received_at=received_at,
            payload=payload[:PAYLOAD_BYTES_MAX],
            payload_size=len(payload),
        )
