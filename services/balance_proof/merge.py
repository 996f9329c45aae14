"""The records of one partition of several topics, in the order in which they were told.

Theory of operation. A state of a feed speaks of the events, copies and comparisons that
its connector wrote before it, on other topics. So it may count only once all of those
are taken. A record that is taken too early does no harm, as accounts keep it until a
state lets it count; one that is taken too late does. That a state is not early is known
in one of two ways:

- by *ends*: the other topics are read to where they ended after the state was read;
- by *time*: what is next on each other topic was written more than a margin after it,
  or is not there yet, and where the topic ends was asked more than a margin after it.

Records leave in the order of their times, states as if they were told a margin later.
Whoever reads is asked for the topics alone of which the next record is not known yet.
So a reading of a month has only little of each topic in memory, however many there are.

An account's records have the time of one clock, and each topic has them in their order.
The margin is for what other accounts write between them, as their clocks are others. A
record of a topic that comes later than a state which left by time, and is not younger,
shows that the margin was too short: then `OutOfOrderError` says which one would do, and
all has to be read again with it. An endless one waits for the ends alone.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace

from balance_shared.kafka import Incoming

Place = tuple[str, int]

MARGIN_MS = 60_000
"""How far the clocks of connectors that share a partition may differ, at first."""


class OutOfOrderError(Exception):
    """A state was let go before a record that may have been told before it.

    Attributes:
        margin_ms: with which this would not have happened.
    """

    def __init__(self, late: Incoming, margin_ms: int) -> None:
        super().__init__(f"{late.topic}[{late.partition}]@{late.offset}")
        self.margin_ms = margin_ms


class Merge:
    """Puts the records of one partition into order.

    Args:
        states: the place whose records speak of those on the others.
        places: all places, that of the states too.
        margin_ms: how far clocks may differ.
    """

    def __init__(
        self, states: Place, places: Iterable[Place], margin_ms: int = MARGIN_MS
    ) -> None:
        self._states, self._margin_ms = states, margin_ms
        self._queues: dict[Place, deque[Incoming]] = {at: deque() for at in places}
        self._read = dict.fromkeys(self._queues, 0)
        self._ends = dict.fromkeys(self._queues, 0)
        self._asked_ms = 0
        self._is_asked = False
        self._passed: dict[Place, int] = {}

    def put(self, records: Mapping[Place, Sequence[Incoming]]) -> None:
        """Take what was read, of each place in its order."""
        for place, told in records.items():
            self._queues[place].extend(told)
        if records.get(self._states):
            self._is_asked = False

    def reach(self, read: Mapping[Place, int]) -> None:
        """Note up to where the places are read: offsets of the next records."""
        for place in self._queues:
            self._read[place] = read.get(place, self._read[place])

    def go_to(self, ends: Mapping[Place, int], asked_ms: int) -> None:
        """Note how far the places go.

        Args:
            ends: offsets after the last records.
            asked_ms: when they were asked for, after all that was `put` was read.
        """
        for place in self._queues:
            self._ends[place] = max(self._ends[place], ends.get(place, 0))
        self._asked_ms, self._is_asked = asked_ms, True

    @property
    def waits(self) -> bool:
        """Whether a state cannot leave before the ends are asked for."""
        return bool(self._queues[self._states]) and not self.hungry

    @property
    def hungry(self) -> Collection[Place]:
        """The places of which the next record is not known, and is there."""
        return [
            at for at, queue in self._queues.items() if not queue and self._is_open(at)
        ]

    def is_through(self, ends: Mapping[Place, int]) -> bool:
        """Whether all records before some offsets have left, or are not there."""
        return all(
            (queue[0].offset if queue else self._read[at]) >= ends.get(at, 0)
            for at, queue in self._queues.items()
        )

    def ready(self) -> Iterator[Incoming]:
        """Yield the records whose turn it is; each leaves as it is yielded.

        Raises:
            OutOfOrderError: read all again with the margin that it names.
        """
        if self.hungry:
            return
        places = list(self._queues)
        heads = [
            (self._due_ms(at), number)
            for number, at in enumerate(places)
            if self._queues[at]
        ]
        heapify(heads)
        while heads:
            place = places[heads[0][1]]
            queue = self._queues[place]
            if place == self._states and not self._may_leave(heads[0][0]):
                return
            self._check(place, queue[0])
            yield queue.popleft()
            if queue:
                heapreplace(heads, (self._due_ms(place), heads[0][1]))
            elif self._is_open(place):
                return
            else:
                heappop(heads)

    def _due_ms(self, place: Place) -> int:
        """Return when the next record of a place leaves; of equal ones states last."""
        time_ms = self._queues[place][0].time_ms
        if place == self._states:
            return 2 * (time_ms + self._margin_ms) + 1
        return 2 * time_ms

    def _may_leave(self, due_ms: int) -> bool:
        """Whether nothing that is not known to be there was told before a state."""
        others = (queue for at, queue in self._queues.items() if at != self._states)
        return self._is_asked or due_ms < 2 * self._asked_ms or all(others)

    def _is_open(self, place: Place) -> bool:
        return self._read[place] < self._ends[place]

    def _check(self, place: Place, record: Incoming) -> None:
        """Note where a state leaves by time alone, and see what comes after it."""
        time_ms = record.time_ms
        if place != self._states:
            passed = self._passed.get(place)
            if passed is not None and time_ms <= passed:
                raise OutOfOrderError(record, 2 * (passed - time_ms + self._margin_ms))
            return
        for other, queue in self._queues.items():
            is_known = self._is_asked and not queue and not self._is_open(other)
            if other != self._states and not is_known:
                self._passed[other] = max(time_ms, self._passed.get(other, 0))
