"""Makes events again from the frames that were kept: pure, by the connector's own code.

Theory of operation. Frames of one account are taken in topic order; they are grouped by
feed and epoch, and each epoch is one connection, one process's polls, or one stretch of
a history. Three things decide the events of a frame: its bytes and attributes, what
came before it in its epoch, and what the connector knew when the epoch began.

* **What was known** is what readers believed in: while one process lives, what its own
  earlier epochs told; after a start, or after records were lost on their way, what the
  events of all earlier epochs tell (that is what ``latest`` held). Each epoch's first
  frame carries a digest of it (``opening.py``). Where neither gives that digest, for
  want of older events or because a process died between two topics, the events of the
  epoch cannot be judged.
* **Facts told before**, which a history does not repeat, are those of all events told
  before the process's first epoch, and its own since. The events at hand have to reach
  back an hour further than a stretch, or to the account's first.
* **Numbers of frames that are not kept** (heartbeats) are no gap: the next frame says
  in ``after`` which number came before it. So a gap is found where it was then.
* **Calls without a usable answer** left no frame. The protocol is asked for its next
  call until that is the one that a frame answers; where it is not, a new round began.
* **Time limits, closes, kills** end an epoch and make no events. What a demand would
  have ended just has no further frames.

An epoch whose first frame is not at hand cannot be judged. Two processes that tell one
account at the same time are kept apart by `Opening.run`, but each started from what
both had told: then, too, the digests say whether an epoch can be judged.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import msgspec

from balance_connector.books import (
    Account,
    Books,
    Facts,
    Holding,
    Recent,
    Told,
    changed,
    known_from,
    vanished_since,
)
from balance_connector.opening import (
    AFTER,
    ASKED,
    OK,
    OPENING,
    STATUS,
    Opening,
    digest,
    opening_in,
)
from balance_connector.poll import Rounds
from balance_connector.stretches import told_until
from balance_connector.venue import (
    Credentials,
    PollProtocol,
    Request,
    Response,
    Stretch,
    Venue,
)
from balance_schemas.records import BalanceEvent, RawFrame
from balance_shared.errors import RecordInvalid
from balance_shared.remembered import Remembered

NO_BEGINNING = "no_beginning"
NOT_KNOWN = "not_known"
NOT_READABLE = "not_readable"

WHY = {
    NO_BEGINNING: "the beginning of the epoch is not among the frames at hand",
    NOT_KNOWN: "what was known when the epoch began is not among the events at hand",
    NOT_READABLE: "this release cannot read what the epoch began with",
}
"""Why the events of an epoch cannot be judged."""

_KEY = Credentials("replay", "cmVwbGF5", "replay")
_EPOCHS_MAX = 8
"""Of one kind: a stream outlasts any number of stretches that history is asked for."""
_RUNS_MAX = 4
_PICTURES_MAX = 100
_MARGIN = timedelta(hours=1)
"""A history looks a little further back than its stretch; see `Stretch`."""
_SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)

Pictures = Remembered[int, tuple[Holding, ...]]
"""Epoch of a stream → the balances that its picture changed."""


class Remade(NamedTuple):
    """What follows from one frame by today's code.

    Attributes:
        events: in order.
        run: the process that took the frame in, and how often it had lost records.
        unjudged: a key of `WHY` if the events cannot be compared with those told.
    """

    events: Sequence[BalanceEvent] = ()
    run: tuple[datetime, int] | None = None
    unjudged: str = ""


class _Epoch(Protocol):
    """Makes the events of one epoch's frames."""

    def take(self, frame: RawFrame) -> Sequence[BalanceEvent]:
        """Return the events of the next frame."""


class _Stream:
    """One connection; notes in `pictured` which balances its picture changed."""

    def __init__(
        self,
        venue: Venue,
        options: Any,
        books: Books,
        pictured: Pictures,
        vanished: Mapping[str, Holding],
        *,
        all_moved: bool,
    ) -> None:
        self._protocol = venue.stream(_KEY, options, books, frozenset())
        self._books = books
        self._all_moved = all_moved
        self._before: dict[str, Holding] | None = {**vanished, **books.known}
        self._pictured = pictured
        self._is_open = False

    def take(self, frame: RawFrame) -> Sequence[BalanceEvent]:
        """Return the events of a frame, or take in the answer to the login."""
        is_answer = frame.source != "stream"
        if not self._is_open:
            self._open(frame, _response(frame) if is_answer else None)
        if is_answer:
            return ()
        if AFTER in frame.attributes:
            self._protocol.passed(int(frame.attributes[AFTER]))
        events = list(self._protocol.receive(frame.payload, frame.received_at).events)
        if self._before is not None and self._protocol.synced:
            moved = changed(self._before, self._books.known, all_=self._all_moved)
            self._pictured.remember(frame.epoch, moved)
            self._before = None
        return events

    def _open(self, frame: RawFrame, answer: Response | None) -> None:
        """Open as then; a login whose answer is secret decides no event."""
        self._is_open = True
        call = self._protocol.login(0, frame.received_at)
        if call is None or not call.secret:
            self._protocol.open(answer, 0, frame.received_at)


class _Polls:
    """The polls of one process that own the balances."""

    def __init__(self, venue: Venue, options: Any, books: Books) -> None:
        self._protocol = venue.poll(_KEY, options, books.known.values())
        self._rounds = Rounds(books)
        self._is_over = True

    def take(self, frame: RawFrame) -> Sequence[BalanceEvent]:
        """Return the events of an answer."""
        if self._is_over:
            self._protocol.begin(frame.received_at)
        if not self._reach(frame):
            return ()
        step = self._protocol.receive(_response(frame), frame.received_at)
        self._is_over = step.demand is not None
        if step.picture is None:
            return ()
        return list(self._rounds.tell(step.picture, frame.received_at))

    def _reach(self, frame: RawFrame) -> bool:
        """Go on to the call that a frame answers, in a new round if need be."""
        if _reach(self._protocol, frame):
            return True
        self._protocol.begin(frame.received_at)
        return _reach(self._protocol, frame)


class _History:
    """One stretch of a history."""

    def __init__(
        self, venue: Venue, options: Any, books: Books, stretch: Stretch
    ) -> None:
        self._protocol = venue.history(_KEY, options, stretch)
        self._books = books
        self._until = told_until(stretch, venue)
        self._calls = 0

    def take(self, frame: RawFrame) -> Sequence[BalanceEvent]:
        """Return the events of an answer."""
        if not _reach(self._protocol, frame):
            return ()
        step = self._protocol.receive(_response(frame), frame.received_at)
        told = Told(frame.received_at, None, f"c{self._calls}")
        self._calls += 1
        return list(self._books.backfill(step.lines, told, self._until))


class _Silent:
    """Tells nothing: polls beside a stream, or what cannot be made again."""

    def take(self, frame: RawFrame) -> Sequence[BalanceEvent]:
        """Return nothing."""
        return ()


class _Asking(Protocol):
    """What polls and histories have in common."""

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call."""


def _reach(protocol: _Asking | PollProtocol, frame: RawFrame) -> bool:
    """Ask for calls up to the one that a frame answers; whether it came."""
    asked, before = frame.attributes.get(ASKED), None
    while request := protocol.request(0, frame.received_at):
        if request.asked == asked:
            return True
        if request.asked == before:  # it waits for the answer to this one
            return False
        before = request.asked
    return False


def _response(frame: RawFrame) -> Response:
    return Response(int(frame.attributes.get(STATUS, OK)), frame.payload)


class _Memory(NamedTuple):
    """What one process knew.

    Attributes:
        losses: how often it had lost records when it last read back what it knew.
        known: what readers believed in.
        recent: the facts that were told last.
        pictured: what the pictures of its streams changed.
        since: from when on all facts are known.
    """

    losses: int
    known: dict[str, Holding]
    recent: Recent
    pictured: Pictures
    since: datetime

    def knows(self, time: datetime) -> bool:
        """Whether the facts that were told at about that time are known."""
        return time >= self.since + _MARGIN


class _Bus:
    """What the events on the topic tell, up to an epoch.

    Attributes:
        heads: key → the last event that makes a current balance.
        facts: the facts that were told last.
        seen_epoch: the greatest epoch of balances that was told.
        since: arrival of the first event; None before it.
    """

    def __init__(self) -> None:
        self.heads: dict[str, BalanceEvent] = {}
        self.facts = Facts()
        self.seen_epoch = 0
        self.since: datetime | None = None
        self._epoch = 0
        self._later: deque[BalanceEvent] = deque()

    def told(self, event: BalanceEvent) -> None:
        """Note the next event on the topic."""
        self.since = self.since or event.received_at
        if event.kind != "backfill":
            self.seen_epoch = max(self.seen_epoch, event.epoch)
        self._later.append(event)
        self._take_in(self._epoch)

    def begin(self, epoch: int) -> None:
        """Take in what was told in all earlier epochs, and nothing of this one."""
        self._take_in(epoch - 1)
        self._epoch = max(self._epoch, epoch)

    def _take_in(self, epoch: int) -> None:
        later = self._later
        while later and (later[0].kind == "backfill" or later[0].epoch <= epoch):
            event = later.popleft()
            if event.kind != "backfill":
                self.heads[event.key] = event
            self.facts.take(event)


class _Running(NamedTuple):
    """An epoch under way; see `Remade`."""

    epoch: _Epoch
    run: tuple[datetime, int] | None = None
    unjudged: str = ""


class Replay:
    """The frames of one account through today's code.

    Args:
        venue: row of the account's venue.
        account: whose.
    """

    def __init__(self, venue: Venue, account: Account) -> None:
        self._venue = venue
        self._account = account
        self._bus = _Bus()
        self._memories: Remembered[datetime, _Memory] = Remembered(_RUNS_MAX)
        self._unsure: Remembered[datetime, datetime] = Remembered(_RUNS_MAX)
        self._epochs: dict[str, Remembered[tuple[str, int], _Running]] = {}

    def needs(self, frame: RawFrame) -> bool:
        """Whether more events have to be told before a frame can be taken.

        An epoch of balances begins with what all events of earlier epochs tell: events
        are told up to the first one of this epoch, or to their end.
        """
        opening = _opening(frame)
        if opening is None or opening.of not in {"stream", "polls"}:
            return False
        return self._bus.seen_epoch < frame.epoch

    def told(self, event: BalanceEvent) -> None:
        """Note the next event of the account on its topic."""
        self._bus.told(event)

    def take(self, frame: RawFrame) -> Remade:
        """Return what follows from the next frame of the account; parts are joined."""
        name = frame.feed, frame.epoch
        if OPENING in frame.attributes:
            opening = _opening(frame)
            begun = self._begin(frame, opening) if opening else None
            kind = opening.of if opening else ""
            kept = self._epochs.setdefault(kind, Remembered(_EPOCHS_MAX))
            kept.remember(name, begun or _UNREADABLE)
        found = (kept.get(name) for kept in self._epochs.values())
        running = next(filter(None, found), _UNBEGUN)
        return Remade(running.epoch.take(frame), running.run, running.unjudged)

    def _begin(self, frame: RawFrame, opening: Opening) -> _Running | None:
        """Return a new epoch; None if its options cannot be read."""
        run = opening.run, opening.losses
        try:
            options = msgspec.json.decode(opening.options, type=self._venue.options)
        except msgspec.MsgspecError:
            return None
        if opening.of == "witness":
            return _Running(_Silent(), run)
        if opening.of == "history":
            return self._history(frame, opening, options)
        memory, unjudged = self._memory(frame.epoch, opening)
        if opening.of == "polls":
            books = self._books(frame, memory.known)
            return _Running(_Polls(self._venue, options, books), run, unjudged)
        books = self._books(frame, memory.known, memory.recent)
        # what changed is not known where it is not judged
        pictured = Remembered(_PICTURES_MAX) if unjudged else memory.pictured
        owed_since = opening.owed_since
        vanished = vanished_since(self._bus.heads.values(), owed_since)
        all_moved = owed_since is not None
        stream = _Stream(
            self._venue, options, books, pictured, vanished, all_moved=all_moved
        )
        return _Running(stream, run, unjudged)

    def _history(self, frame: RawFrame, opening: Opening, options: Any) -> _Running:
        memory = self._memories.get(opening.run)
        run = opening.run, opening.losses
        stretch = _stretch(opening, memory, self._unsure.get(opening.run))
        if memory is None or stretch is None:
            # What it told is not known to the next one either.
            self._unsure.remember(opening.run, frame.received_at)
            return _Running(_Silent(), run, NOT_KNOWN)
        known = memory.known if self._venue.same_codes else {}
        books = self._books(frame, known, memory.recent)
        return _Running(_History(self._venue, options, books, stretch), run)

    def _books(
        self,
        frame: RawFrame,
        known: dict[str, Holding],
        recent: Recent | None = None,
    ) -> Books:
        return Books(self._account, frame.feed, frame.epoch, known, recent)

    def _memory(self, epoch: int, opening: Opening) -> tuple[_Memory, str]:
        """Return what was known as an epoch began, and why that is not sure."""
        self._bus.begin(epoch)
        own = self._memories.get(opening.run)
        if own and not opening.read and digest(own.known) == opening.known:
            return own, ""
        known = known_from(self._bus.heads.values())
        is_known = digest(known) == opening.known
        if is_known and not self._bus.heads:
            self._bus.since = _BEGINNING  # nothing was told before: all is at hand
        memory = self._from_bus(opening, known, own)
        self._memories.remember(opening.run, memory)
        began = _SINCE_1970 + timedelta(microseconds=epoch)
        heads = self._bus.heads.values()
        heard = max((event.received_at for event in heads), default=began)
        since = min(heard, opening.owed_since or heard) if opening.read else began
        return memory, "" if is_known and memory.knows(since) else NOT_KNOWN

    def _from_bus(
        self,
        opening: Opening,
        known: dict[str, Holding],
        own: _Memory | None,
    ) -> _Memory:
        """Return what a process knew, by what the events on the topic tell."""
        if own is not None and not opening.read:
            return own._replace(known=known)
        since = self._bus.since or opening.run
        pictured = own.pictured if own else Remembered(_PICTURES_MAX)
        facts = self._bus.facts.told.copy()
        return _Memory(opening.losses, known, facts, pictured, since)


def _stretch(
    opening: Opening, memory: _Memory | None, unsure: datetime | None
) -> Stretch | None:
    """Return what a history was asked for; None where what was known then is not.

    Args:
        opening: of the history.
        memory: of its process.
        unsure: up to when a history of that process told facts that are not known.
    """
    if memory is None or opening.stretch is None or memory.losses != opening.losses:
        return None
    since, until, epoch = opening.stretch
    pictured = memory.pictured.get(epoch)
    is_sure = unsure is None or since >= unsure + _MARGIN
    if pictured is None or not memory.knows(since) or not is_sure:
        return None
    return Stretch(since, until, pictured, epoch)


def _opening(frame: RawFrame) -> Opening | None:
    """Return the opening of a frame, None where there is none that can be read."""
    try:
        return opening_in(frame)
    except RecordInvalid:
        return None


_UNBEGUN = _Running(_Silent(), unjudged=NO_BEGINNING)
_UNREADABLE = _Running(_Silent(), unjudged=NOT_READABLE)
