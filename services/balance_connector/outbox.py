"""The bounded hand-over between the venue's feeds and Kafka.

Frames become entries of records; one task hands everything that has gathered to Kafka
and waits until it is acknowledged, then takes what has gathered since. When the outbox
is full the feeds stop reading their sockets, so nothing grows and nothing is dropped. A
status is handed over alone, after all that came before it is acknowledged: who reads
``live`` finds the picture on the bus.

What waited longer than `AGE_S_MAX` is not published any more: a paused process must not
speak late. It is dropped and counted in `Outbox.losses`: a feed that sees the number
change takes a new picture.
"""

import asyncio
import math
from collections import Counter as CountOf
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, Protocol

import msgspec
import structlog
from prometheus_client import Counter

from balance_connector.status import Counts
from balance_shared.clock import Clock
from balance_shared.errors import BusInterrupted, PublishError
from balance_shared.kafka import Outgoing

FRAMES_MAX = 2_000
"""Most frames that wait; then sockets are not read."""

BYTES_MAX = 32 * 1024 * 1024
"""Most bytes that wait, likewise."""

HANDOVER_BYTES_MAX = 4 * 1024 * 1024
"""Most bytes of one hand-over to Kafka."""

AGE_S_MAX = 30.0
"""Longest wait of a frame between receipt and publishing, in seconds."""

SLOW_S = 5.0
"""A hand-over that takes longer makes the service not ready."""

LOST_S_MAX = 600.0
"""A hand-over that takes longer means that the bus is lost for good."""

log = structlog.get_logger(__name__)


class Publisher(Protocol):
    """Where the outbox hands over: `balance_shared.kafka.Producer` or the fake."""

    def publish(self, records: list[Outgoing]) -> Coroutine[Any, Any, None]:
        """Write records; return when all are acknowledged."""

    async def restart(self) -> None:
        """Give up what is in flight and start afresh."""


class Entry(msgspec.Struct, frozen=True):
    """What one frame, or one part of a picture, has to say.

    Attributes:
        records: in order.
        born_s: monotonic time of receipt, in seconds.
        frames: how many frames these are (0 or 1).
        size: bytes of all records.
        counters: each with what to add when the records are acknowledged.
        venue_time: when the venue says it happened, if it does.
        is_status: handed over alone, and never too old.
    """

    records: list[Outgoing]
    born_s: float
    frames: int = 0
    size: int = 0
    counters: tuple[tuple[Counter, int], ...] = ()
    venue_time: datetime | None = None
    is_status: bool = False


class Outbox:
    """The hand-over of one connector process.

    Args:
        publisher: the bus.
        clock: for ages.
        observe: histograms of the primary feed.
        ready: called with None when Kafka takes records, else with why it does not.

    Attributes:
        frames: how many wait.
        losses: how often a feed had to begin anew.
        loss: why, the last time.
        began_at: when this process, or its turn, began.
    """

    def __init__(
        self,
        publisher: Publisher,
        clock: Clock,
        observe: Counts,
        ready: Callable[[str | None], None],
    ) -> None:
        self._publisher = publisher
        self._clock = clock
        self._observe = observe
        self._ready = ready
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._put = self._settled = 0
        self._awaited: deque[tuple[int, asyncio.Event]] = deque()
        self.frames = 0
        self.losses = 0
        self.loss = ""
        self.began_at = clock.now()

    def put(self, entry: Entry) -> None:
        """Add an entry; wait for `room` first."""
        self._entries.append(entry)
        self._put += 1
        self.frames += entry.frames
        self._bytes += entry.size
        if not self._filled.is_set():
            self._filled.set()
            self._empty.clear()
        if self.full:
            self._room.clear()

    @property
    def full(self) -> bool:
        """Whether sockets should not be read now."""
        return self.frames >= FRAMES_MAX or self._bytes >= BYTES_MAX

    async def room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    async def drained(self) -> None:
        """Wait until all entries are acknowledged or dropped."""
        await self._empty.wait()

    async def acknowledged(self) -> None:
        """Wait until all that was put so far is; or dropped, as `losses` tells then."""
        if self._settled < self._put:
            reached = asyncio.Event()
            self._awaited.append((self._put, reached))
            await reached.wait()

    async def run(self) -> None:
        """Hand over for ever.

        Raises:
            PublishError: the bus is lost for good.
        """
        while True:
            await self._filled.wait()
            self._drop_old()
            entries = self._take()
            if entries:
                try:
                    await self._hand_over(entries)
                except BusInterrupted as error:
                    await self._interrupted(error)
            self._settle(entries)

    def _take(self) -> list[Entry]:
        """Return the entries of the next hand-over; they still count as waiting."""
        taken: list[Entry] = []
        size = 0
        while self._entries and size < HANDOVER_BYTES_MAX:
            if taken and self._entries[0].is_status != taken[0].is_status:
                break
            entry = self._entries.popleft()
            size += entry.size
            taken.append(entry)
        return taken

    async def _hand_over(self, entries: list[Entry]) -> None:
        records = [record for entry in entries for record in entry.records]
        started_s = self._clock.monotonic()
        await self._watched(self._publisher.publish(records))
        self._observe.publish_s.observe(self._clock.monotonic() - started_s)
        now = self._clock.now()
        counted: CountOf[Counter] = CountOf()
        for entry in entries:
            for counter, number in entry.counters:
                counted[counter] += number
            if entry.venue_time is not None:
                age_s = (now - entry.venue_time).total_seconds()
                self._observe.venue_to_bus_s.observe(age_s)
        for counter, number in counted.items():
            counter.inc(number)

    async def _watched(self, publishing: Coroutine[Any, Any, None]) -> None:
        """Wait for Kafka; say so when it is slow, give up when it is lost."""
        task = asyncio.create_task(publishing)
        started_s = self._clock.monotonic()
        try:
            while not (await asyncio.wait({task}, timeout=SLOW_S))[0]:
                waited_s = self._clock.monotonic() - started_s
                self._ready(f"no acknowledgement for {waited_s:.0f} s")
                if waited_s > LOST_S_MAX:
                    raise PublishError(f"Kafka took nothing for {LOST_S_MAX:.0f} s")
            task.result()
        finally:
            task.cancel()
        self._ready(None)

    async def _interrupted(self, error: BusInterrupted) -> None:
        log.error("bus_interrupted", error=str(error))
        self._ready(str(error))
        self.drop()
        await self._publisher.restart()

    def _drop_old(self) -> None:
        born = (entry.born_s for entry in self._entries if not entry.is_status)
        if self._clock.monotonic() - next(born, math.inf) > AGE_S_MAX:
            log.warning("dropped_late", frames=self.frames, limit_s=AGE_S_MAX)
            self.drop()

    def distrust(self, reason: str) -> None:
        """Have each feed begin anew: readers may hold something else than it told."""
        self.losses += 1
        self.loss = reason

    def drop(self) -> None:
        """Drop all that waits: a status must not outlive the frames it speaks of."""
        self.distrust("earlier records of this epoch were dropped")
        dropped, self._entries = self._entries, deque()
        self._settle(dropped)

    def _settle(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.frames -= entry.frames
            self._bytes -= entry.size
            self._settled += 1
        while self._awaited and self._awaited[0][0] <= self._settled:
            self._awaited.popleft()[1].set()
        if not self._entries:
            self._filled.clear()
            self._empty.set()
        if not self.full:
            self._room.set()
