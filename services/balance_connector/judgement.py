"""Compares what a replay makes with what was told: pure.

Theory of operation. Within one epoch of one feed the same events have to come in the
same order, each with the same Avro body, byte for byte. They are paired by event id.
What is left over is paired by arrival time, so that a changed id shows as such; then
the rest is missing, or was told and is not made any more.

Three kinds of events are counted apart and never called equal: of an epoch that cannot
be judged (`balance_connector.replay.WHY`); told before the first frame at hand; and at
the end of a process, or of what it told before records were lost, those of which only
the frame or only the event reached the bus. The latter must be the last ones.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from balance_connector.replay import NO_BEGINNING, WHY, Replay
from balance_schemas.codec import encode_body
from balance_schemas.decimals import plain
from balance_schemas.records import BalanceEvent, RawFrame, Record

NO_FRAME = "no_frame"
CUT = "cut"

REASONS: Mapping[str, str] = WHY | {
    NO_FRAME: "told before the first frame at hand",
    CUT: "at the end of a process: the frame or the event did not reach the bus",
}
"""Why events were not judged: code → text."""

_FRAMES_BEHIND = timedelta(seconds=60)
_AHEAD_MAX = 1_000

Place = tuple[int, int]
"""Partition and offset."""

Fields = Mapping[str, tuple[str, str]]
"""Field → as told, as made today; a field that is not there is ``""``."""


class Telling(NamedTuple):
    """An event as told: where it lies, and its Avro body."""

    event: BalanceEvent
    body: bytes
    place: Place


class _Made(NamedTuple):
    """An event as made today, and the frame that it is made from."""

    event: BalanceEvent
    frame: Place
    frame_index: int
    serial: int
    order: int


class _Told(NamedTuple):
    telling: Telling
    serial: int
    order: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One event that is not as it was told.

    Attributes:
        what: changed, missing (made today and not told), extra (told and not made any
            more) or order (told in another order).
        event: as told, or as made where it was not told.
        told_at: partition and offset of the event, None where there is none.
        frame_at: the same of the frame that it follows from.
        frame_index: of that frame in its epoch.
        fields: what differs; empty in ``missing``, ``extra`` and ``order``, and where
            only the bytes do.
    """

    what: str
    event: BalanceEvent
    told_at: Place | None = None
    frame_at: Place | None = None
    frame_index: int | None = None
    fields: Fields = field(default_factory=dict)


@dataclass(slots=True)
class _Epoch:
    """What was made and told in one epoch and has not met."""

    run: tuple[datetime, int] | None = None
    unjudged: str = ""
    begun: bool = False
    made: dict[str, deque[_Made]] = field(default_factory=dict)
    told: dict[str, deque[_Told]] = field(default_factory=dict)
    orders: Counter[str] = field(default_factory=Counter)
    last: tuple[int, int] = (-1, -1)


class Judgement:
    """Judges the events of one account, as frames and events are given in topic order.

    Args:
        replay: of the account.
        since: events that arrived earlier are not counted; None: all are.
        until: the same of those that arrived then or later.
        first: arrival of the first frame at hand, of whatever account; events that are
            told before it wait for no frame. None: that of the first frame given.

    Attributes:
        equal: how many events are the same, byte for byte.
        unjudged: a key of `REASONS` → how many events were not judged for it.
        differences: those found so far; complete after `end`.
        frames: how many frames were taken.
    """

    def __init__(
        self,
        replay: Replay,
        since: datetime | None = None,
        until: datetime | None = None,
        first: datetime | None = None,
    ) -> None:
        self._replay = replay
        self._since, self._until = since, until
        self._epochs: dict[tuple[str, int], _Epoch] = {}
        self._first = first
        self._made_at: datetime | None = None
        self._told_at: datetime | None = None
        self._parts: list[tuple[RawFrame, Place]] = []
        self._serial = 0
        self._ahead = 0
        self._met: dict[tuple[datetime, int], tuple[int, int]] = {}
        self.equal = 0
        self.frames = 0
        self.unjudged: Counter[str] = Counter()
        self.differences: list[Difference] = []

    def needs(self, frame: RawFrame) -> bool:
        """Whether the next event, if there is one, is to be given before a frame."""
        if self._replay.needs(frame):
            return True
        if self._ahead < _AHEAD_MAX or self._made_at is None:
            return False
        return self._told_at is None or self._told_at <= self._made_at

    def frame(self, frame: RawFrame, place: Place) -> None:
        """Take in the next frame, or part of one, and where it lies."""
        self._parts.append((frame, place))
        if frame.part == frame.parts - 1:
            parts, self._parts = self._parts, []
            first, at = parts[0]
            payload = b"".join(part.payload for part, _ in parts)
            self._whole(msgspec.structs.replace(first, payload=payload), at)

    def _whole(self, frame: RawFrame, place: Place) -> None:
        self.frames += 1
        self._first = self._first or frame.received_at
        remade = self._replay.take(frame)
        name = frame.feed, frame.epoch
        epoch = self._epochs.setdefault(name, _Epoch())
        if not epoch.begun:
            epoch.begun, epoch.run, epoch.unjudged = True, remade.run, remade.unjudged
        for event in remade.events:
            self._made_at = event.received_at
            self._serial += 1
            epoch.orders["made"] += 1
            order = epoch.orders["made"]
            made = _Made(event, place, frame.index, self._serial, order)
            if not epoch.unjudged:
                self._meet(epoch, event.event_id, made=made)

    def told(self, telling: Telling) -> None:
        """Take in the next event of the account on its topic."""
        event = telling.event
        self._replay.told(event)
        self._told_at = event.received_at
        if self._is_before_frames(event):
            self._count(NO_FRAME, event)
            return
        epoch = self._epochs.setdefault((event.feed, event.epoch), _Epoch())
        self._serial += 1
        epoch.orders["told"] += 1
        told = _Told(telling, self._serial, epoch.orders["told"])
        if epoch.unjudged:
            self._count(epoch.unjudged, event)
        else:
            self._meet(epoch, event.event_id, told=told)

    def end(self) -> None:
        """Judge what has not met; nothing more comes."""
        for epoch in self._epochs.values():
            made, told = _left(epoch.made), _left(epoch.told)
            if epoch.unjudged or not epoch.begun:
                for one in told:
                    self._count(epoch.unjudged or NO_BEGINNING, one.telling.event)
                continue
            self._pair(epoch, made, told)
        for epoch in self._epochs.values():
            if epoch.begun and not epoch.unjudged:
                self._leave(epoch)
        self.differences.sort(key=lambda found: found.event.received_at)

    def _is_before_frames(self, event: BalanceEvent) -> bool:
        """Whether an event is older than all frames at hand."""
        first = self._first
        if first is None or (event.feed, event.epoch) in self._epochs:
            return False
        return event.received_at < first - _FRAMES_BEHIND

    def _counts(self, event: BalanceEvent) -> bool:
        after = self._since is None or event.received_at >= self._since
        return after and (self._until is None or event.received_at < self._until)

    def _count(self, reason: str, event: BalanceEvent) -> None:
        self.unjudged[reason] += self._counts(event)

    def _meet(
        self,
        epoch: _Epoch,
        event_id: str,
        *,
        made: _Made | None = None,
        told: _Told | None = None,
    ) -> None:
        """Compare an event with its other side, or have it wait for it."""
        if made is not None:
            told = _taken(epoch.told, event_id)
            if told is None:
                epoch.made.setdefault(event_id, deque()).append(made)
                self._ahead += 1
        elif told is not None:
            made = _taken(epoch.made, event_id)
            self._ahead -= made is not None
            if made is None:
                epoch.told.setdefault(event_id, deque()).append(told)
        if made is not None and told is not None:
            self._compare(epoch, made, told)

    def _compare(self, epoch: _Epoch, made: _Made, told: _Told) -> None:
        self._note_met(epoch, made.serial, told.serial)
        event, telling = made.event, told.telling
        before, epoch.last = epoch.last, (made.order, told.order)
        turned = (made.order > before[0]) != (told.order > before[1])
        body = encode_body(event)
        same = telling.body == body or encode_body(telling.event) == body
        if not self._counts(telling.event):
            return
        if same and not turned:
            self.equal += 1
            return
        self.differences.append(
            Difference(
                "order" if same else "changed",
                telling.event,
                telling.place,
                made.frame,
                made.frame_index,
                {} if same else dict(_fields(telling.event, event)),
            )
        )

    def _note_met(self, epoch: _Epoch, made: int, told: int) -> None:
        """Note how far frames and events of a process belong together."""
        if epoch.run is not None:
            before = self._met.get(epoch.run, (0, 0))
            self._met[epoch.run] = max(before[0], made), max(before[1], told)

    def _pair(self, epoch: _Epoch, made: list[_Made], told: list[_Told]) -> None:
        """Compare what is left of one frame on both sides."""
        by_time: dict[datetime, deque[_Told]] = {}
        for one in told:
            arrived = one.telling.event.received_at
            by_time.setdefault(arrived, deque()).append(one)
        for each in made:
            left = by_time.get(each.event.received_at)
            if left:
                other = left.popleft()
                _taken(epoch.made, each.event.event_id)
                _taken(epoch.told, other.telling.event.event_id)
                self._compare(epoch, each, other)

    def _leave(self, epoch: _Epoch) -> None:
        """Say what has no other side: the last of a process may have been cut off."""
        met = self._met.get(epoch.run, (0, 0)) if epoch.run else (0, 0)
        for made in _left(epoch.made):
            event = made.event
            if made.serial > met[0]:
                self._count(CUT, event)
            elif self._counts(event):
                found = Difference("missing", event, None, made.frame, made.frame_index)
                self.differences.append(found)
        for told in _left(epoch.told):
            event = told.telling.event
            if told.serial > met[1]:
                self._count(CUT, event)
            elif self._counts(event):
                found = Difference("extra", event, told.telling.place)
                self.differences.append(found)


def _taken(waiting: dict[str, deque[Any]], event_id: str) -> Any:
    """Take the first that waits under an id; None if there is none."""
    line = waiting.get(event_id)
    if not line:
        return None
    taken = line.popleft()
    if not line:
        del waiting[event_id]
    return taken


def _left(waiting: Mapping[str, deque[Any]]) -> list[Any]:
    """Return what waits, in the order in which it came."""
    found = [one for line in waiting.values() for one in line]
    return sorted(found, key=lambda one: one.serial)


def _fields(told: Record, made: Record, within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields that differ: name, as told and as made."""
    for name in told.__struct_fields__:
        one, other = getattr(told, name), getattr(made, name)
        yield from _members(f"{within}{name}", one, other)


def _members(name: str, told: Any, made: Any) -> Iterator[tuple[str, Any]]:
    """Yield what differs in a field: of a list or map, which members."""
    match told, made:
        case ((tuple() | list()), (tuple() | list())):
            for at in range(max(len(told), len(made))):
                one = told[at] if at < len(told) else None
                other = made[at] if at < len(made) else None
                yield from _members(f"{name}[{at}]", one, other)
        case dict(), dict():
            for key in sorted(told.keys() | made.keys()):
                yield from _members(f"{name}.{key}", told.get(key), made.get(key))
        case Record(), Record():
            yield from _fields(told, made, f"{name}.")
        case _ if told != made:
            yield name, (_text(told), _text(made))


def _text(value: Any) -> str:
    """Return a value as people read it, "" for none."""
    match value:
        case None:
            return ""
        case Decimal():
            return plain(value)
        case datetime():
            return value.isoformat()
        case Record():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)
