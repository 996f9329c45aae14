"""One account: puts its records into order, and says what is to be said.

Theory of operation. Events, comparisons and states of one account come from three
topics, which are read side by side: how far one is ahead of the other is chance. The
connector hands over a state alone, after all that came before it is acknowledged, and a
state names the time of the last event. So each state of the primary feed is a cut: it
counts after what was published before it is taken (`Merge` sees to that), with whatever
was published after it and is taken already. The events up to the one that it names
count, then the lines of a history that came before it, then the comparisons that were
published before it, then the state. The cut depends on what the topics say alone, so
that a replay comes to the same verdicts: a line counts only some time after it came, as
no state tells whether it was on the bus already. A state is known before it may count:
so events need not wait for it, nor comparisons that say no more than later ones.

A comparison counts only with a later state of the same epoch: had the connector lost
records on their way, it would have begun a new one.

A comparison says that the figures which the connector has are right, and not that they
are the ones on the bus: an event that was lost or altered there would leave us with
another. Every event but those of the history is on the latest topic too. So at each cut
what latest says of a balance has to be what the events say; where it is not older than
these and differs, nothing is proven.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from balance_proof.book import SNAPSHOT, Book, Evidence
from balance_proof.calm import Calm
from balance_proof.comparison import in_runs
from balance_proof.ledger import Ledger, Picture, time_of_epoch
from balance_proof.verdicts import (
    PROVEN,
    UNPROVEN,
    VIOLATED,
    Finding,
    book_of,
    finding,
    proof_of,
    question_of,
)
from balance_schemas.decimals import to_unscaled
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Reconciliation,
)

SILENT = timedelta(seconds=60)
"""A connector tells its state every 10 s; after that long it counts as gone."""

PUBLISHED = timedelta(seconds=5)
"""How long after its arrival a line of a history is surely on the bus."""

ANSWERS = 3
"""How many answers in a row have to say a figure where nothing but polls tells it: an
answer that is wrong may well be wrong again in the next one."""

STATES_MAX = 10_000
"""Most states that wait for an event; of more the oldest is given up."""

FEEDS = ("ws", "rest")


class _Copy(NamedTuple):
    """What latest says of a balance, in 10⁻¹⁸ of the asset, and when it was told.

    Millions may wait at a start, so no more is kept of them.
    """

    at: datetime
    key: str
    balance: int


class _State(NamedTuple):
    """A state that waits for what it speaks of."""

    token: int
    time_ms: int
    status: ConnectorStatus


_UNWELL = {
    "maintenance": "the venue is in maintenance",
    "degraded": "degraded: see the state of the feed",
    "refused": "the venue refuses the credentials",
    "stopped": "the connector is stopped",
}
_STALE = "stale: there is no complete picture now"


class Account:
    """What is known of one account, and what was said of it.

    Args:
        acknowledged: balance key → up to when what did not add up is settled; may be
            added to from outside, with `settle`.

    Attributes:
        first_at: arrival of the first event that the topic still has.
        cuts: how often the verdicts may have become others.
    """

    def __init__(self, acknowledged: Mapping[str, datetime]) -> None:
        self.ledger = Ledger(acknowledged)
        self._calm = Calm(self.ledger)
        self.first_at: datetime | None = None
        self.cuts = 0
        self._events: deque[BalanceEvent] = deque()
        self._lines: deque[BalanceEvent] = deque()
        self._records: deque[tuple[int, Reconciliation]] = deque()
        self._latest: deque[_Copy] = deque()
        self._copies: dict[str, _Copy] = {}
        self._names: dict[str, str] = {}
        self._touched: set[str] = set()
        self._all_touched = False
        self._states: dict[str, deque[_State]] = {
            feed: deque(maxlen=STATES_MAX) for feed in FEEDS
        }
        self._complete = 0
        self._now: dict[str, tuple[datetime, ConnectorStatus]] = {}
        self._read_until: dict[str, datetime] = {}
        self._primary: tuple[int, str] = (0, "")
        self._answers: deque[datetime] = deque(maxlen=ANSWERS)
        self._earlier: deque[BalanceProof] = deque()
        self._cut_at = datetime.fromtimestamp(0, UTC)

    def take_event(self, event: BalanceEvent) -> None:
        """Take a record of the events topic."""
        self._events.append(event)
        if self.first_at is None:
            self.first_at = event.received_at
        if event.kind != "backfill":
            self._primary = max(self._primary, (event.epoch, event.feed))
            read = self._read_until.get(event.feed, event.received_at)
            self._read_until[event.feed] = max(read, event.received_at)
        self._advance()

    def take_latest(self, event: BalanceEvent) -> None:
        """Take a record of the latest topic."""
        key = self._names.setdefault(event.key, event.key)
        copy = _Copy(event.received_at, key, to_unscaled(event.balance))
        self._latest.append(copy)

    def take_reconciliation(self, record: Reconciliation, time_ms: int) -> None:
        """Take a record of the reconciliations topic, published at a time."""
        if record.verdict == "consistent" and self._says_nothing_before(time_ms):
            self._records.pop()
        self._records.append((time_ms, record))
        self._advance()

    def _says_nothing_before(self, time_ms: int) -> bool:
        """Whether the comparison before one that agrees now makes no difference.

        It agreed, both count at the next state, and that is of a later epoch: then both
        say only that there is no dispute.
        """
        states = self._states.get(self._primary[1])
        if not states or not self._records:
            return False
        before, status = self._records[-1][1], states[0].status
        return (
            before.verdict == "consistent"
            and time_ms < states[0].time_ms
            and status.state == "live"
            and before.requested_at < time_of_epoch(status.epoch)
        )

    def take_status(
        self, status: ConnectorStatus, time_ms: int, token: int = 0
    ) -> None:
        """Take a record of the status topic.

        Args:
            status: the record.
            time_ms: when it was published.
            token: it counts once `complete` was called with that one or a greater; 0:
                what was published before it is taken already.
        """
        self._now[status.feed] = _time(time_ms), status
        if status.feed in self._states:
            self._states[status.feed].append(_State(token, time_ms, status))
        self._advance()

    def complete(self, token: int) -> None:
        """Note that all that was published before some states is taken."""
        self._complete = max(self._complete, token)
        self._advance()

    def settle(self, key: str, through: datetime) -> None:
        """Take an acknowledgement: what did not add up until then is settled."""
        self._all_touched = True
        self.ledger.settle(key, through)

    @property
    def unwell(self) -> str:
        """Why the primary feed cannot be trusted, as last told; "" where it can."""
        told = self._now.get(self._primary[1])
        if told is None:
            return "no state of the feed is known"
        state = told[1].state
        return "" if state == "live" else _UNWELL.get(state, _STALE)

    def is_silent(self, now: datetime) -> bool:
        """Whether the connector has not been heard of for too long."""
        told = self._now.get(self._primary[1])
        return told is not None and now - told[0] > SILENT

    def verdicts(
        self, now: datetime | None = None
    ) -> Iterator[tuple[str, Book, Finding]]:
        """Yield (key, balance, verdict) of every balance.

        Args:
            now: to judge silence by; None: by the records alone.
        """
        unwell = self.unwell
        if not unwell and now is not None and self.is_silent(now):
            unwell = "stale: nothing is heard of the connector"
        self._calm.settle()
        for key, book in self.ledger:
            found = finding(book, self.ledger, unwell, self._cut_at)
            if found.verdict == PROVEN and book.evidence is not None:
                book.proven(book.evidence.through)
            yield key, book, found

    def proofs(self, now: datetime | None = None) -> Iterator[BalanceProof]:
        """Yield the record of each verdict; `now` as for `verdicts`."""
        for _, book, found in self.verdicts(now):
            yield proof_of(book, found, self.checked_at)

    @property
    def checked_at(self) -> datetime:
        """The time of the last state that was told, by the account's own records."""
        told = self._now.get(self._primary[1])
        return max(self._cut_at, told[0]) if told else self._cut_at

    def resume(self, proof: BalanceProof) -> None:
        """Take over an earlier verdict, once everything on the topics was read.

        What no event on the topics tells any more is kept as it was said.
        """
        self._earlier.append(proof)
        self._advance()

    def _take_over(self, proof: BalanceProof) -> None:
        self._touch({proof.key})
        book = self.ledger.books.get(proof.key)
        if book is None:
            book = book_of(proof)
            self.ledger.add(proof.key, book)
        elif (
            proof.verdict == VIOLATED
            and book.question is None
            and self.first_at is not None
            and proof.checked_at < self.first_at
        ):
            book.question = question_of(proof)
        if proof.proven_through is not None:
            book.proven(proof.proven_through)

    def _advance(self) -> None:
        """Make every cut that can be made."""
        feed = self._primary[1]
        if not feed:
            self._end()
            return
        for other in FEEDS:
            waiting = self._states[other]
            while other != feed and waiting and waiting[0].token <= self._complete:
                waiting.popleft()
        states = self._states[feed]
        while states:
            token, time_ms, status = states[0]
            until = status.last_event_at
            self._fold(until)
            read = self._read_until.get(feed)
            if until is not None and (read is None or read < until):
                return
            if token > self._complete:
                return
            states.popleft()
            self._cut(status, time_ms)
        self._end()

    def _end(self) -> None:
        """Take over earlier verdicts, now that all states that were read are taken."""
        self.cuts += bool(self._earlier)
        while self._earlier:
            self._take_over(self._earlier.popleft())

    def _fold(self, until: datetime | None) -> None:
        """Let the events up to a time count; lines of a history wait for the cut."""
        while self._events:
            event = self._events[0]
            if event.kind == "backfill":
                self._lines.append(self._events.popleft())
                continue
            if until is None or event.received_at > until:
                break
            self._take(self._events.popleft())
        while until and self._latest and self._latest[0].at <= until:
            told = self._latest.popleft()
            self._copies[told.key] = told
            self._touch({told.key})

    def _take(self, event: BalanceEvent) -> None:
        """Let an event count; note whose verdict may be another one then."""
        if event.epoch > self.ledger.epoch or event.kind in {"snapshot", "absent"}:
            self._touch_all()
        self._touch(self.ledger.alike(event))
        self.ledger.take(event)

    def _touch(self, keys: set[str]) -> None:
        self._touched |= keys
        self._calm.stir(keys)

    def _touch_all(self) -> None:
        self._all_touched = True
        self._calm.stir_all()

    def _compare_copies(self) -> None:
        """Hold what latest said against the events up to the same time."""
        for key in self._touched:
            book, copy = self.ledger.books.get(key), self._copies.get(key)
            if book is not None and copy is not None:
                older = book.told_at is not None and copy.at < book.told_at
                book.astray = not older and copy.balance != book.balance

    def _cut(self, status: ConnectorStatus, time_ms: int) -> None:
        self.cuts += 1
        settled = _time(time_ms) - PUBLISHED
        while self._lines and self._lines[0].received_at <= settled:
            self._take(self._lines.popleft())
        self._compare_copies()
        ledger, live = self.ledger, status.state == "live"
        if live and status.epoch > ledger.epoch:
            self._touch_all()
            ledger.begin(status.epoch, Picture("", 0))  # it told nothing: all is empty
        went_on = live and status.epoch == ledger.epoch
        for run in in_runs(self._compared_before(time_ms)):
            self._calm.compare(run, went_on=went_on)
            self._all_touched = True
        if status.feed == "rest" and went_on:
            self._answered(status.confirmed_at)
        self._cut_at = max(self._cut_at, _time(time_ms))
        self._judge()

    def _compared_before(self, time_ms: int) -> Iterator[Reconciliation]:
        while self._records and self._records[0][0] < time_ms:
            yield self._records.popleft()[1]

    def _judge(self) -> None:
        """Remember what is proven at a cut, of all that may not have been before."""
        keys = self._calm.restless if self._all_touched else self._touched
        for key in list(keys):
            book = self.ledger.books.get(key)
            if book is None:
                continue
            found = finding(book, self.ledger, "", self._cut_at)
            if found.verdict == PROVEN:
                self._calm.proven(key, book)
        self._calm.judged()
        self._touched.clear()
        self._all_touched = False

    def _answered(self, at: datetime | None) -> None:
        """Take a whole answer of polls that own the balances.

        What `ANSWERS` of them in a row say was so when the first of them had arrived.
        """
        answers, began = self._answers, time_of_epoch(self.ledger.epoch)
        if at is None or at < began:
            return
        if answers and at == answers[-1] and not (self._touched or self._all_touched):
            return
        self._touch_all()
        if not answers or at > answers[-1]:
            answers.append(at)
        first = answers[0]
        if len(answers) < ANSWERS or first < began:
            return
        for _, book in self.ledger:
            is_said_by_all = book.told_at is None or book.told_at <= first
            if is_said_by_all and self.ledger.is_pictured(book):
                book.prove(Evidence(SNAPSHOT, first))


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms)


__all__ = ["PROVEN", "UNPROVEN", "VIOLATED", "Account"]
