"""Do PostgreSQL and Kafka agree, and is what is stored what was stored? No I/O.

Theory of operation. Three things are compared, and each disagreement is named:

* The rows with their chains (`balance_storage.chain`): a row whose link does not fit
  is ``changed``, a number without a row ``missing``, a row beyond the end ``added``.
  All rows there are get walked, so that none can lie where nobody looks: before the
  first number, or in an account that has no end.
  Behind a row that does not fit the chain goes on from what is stored, so that one
  change is one finding. Where retention dropped rows, ``chain_starts`` says how it
  goes on.
* What stands beside the rows with them: what holds now is the last telling of each key
  that took effect, an account is called what its keys call it, and each id stands for
  the first row that tells it, with the greatest epoch that told it live.
* Kafka with the rows: each record of the events topic that is below the stored position
  is a stored row, a repetition that the rules let pass, a record that cannot be read
  (a dead letter), or out of retention; else it is ``not stored``. A record at or above
  the position is lag, and no disagreement. The last record of each key on the latest
  topic is what holds, unless storage is behind.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from balance_schemas.decimals import plain
from balance_schemas.records import BalanceEvent
from balance_storage.chain import End, link_of
from balance_storage.facts import BACKFILL
from balance_storage.rows import Row

UNDER_WAY = timedelta(minutes=1)
"""How long an event may be stored before it must be on the latest topic too."""


class Kind(StrEnum):
    """What was found."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    HEAD = "wrong balance"
    ID = "wrong id"
    LATEST = "not as on latest"
    NOT_STORED = "not stored"
    OTHER = "not as on the topic"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement.

    Attributes:
        kind: what was found.
        account: ``venue|account``.
        where: which row, record or balance.
    """

    kind: Kind
    account: str
    where: str


@dataclass(slots=True)
class Tally:
    """What was counted of one account.

    Attributes:
        rows: tellings whose link was computed again.
        on_topic: records on the events topic that are due to be stored.
        repeated: of these, repetitions that change nothing.
        unreadable: of these, what was put aside as dead letters.
        expired: of these, what retention dropped from the database.
        lag: records that are not due yet: storage is behind by them.
        balances: keys whose balance was compared.
    """

    rows: int = 0
    on_topic: int = 0
    repeated: int = 0
    unreadable: int = 0
    expired: int = 0
    lag: int = 0
    balances: int = 0


@dataclass(slots=True)
class Report:
    """What `verify` found.

    Attributes:
        tallies: ``venue|account`` → what was counted.
        findings: disagreements, in the order in which they were found.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def agree(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def of(self, account: str) -> Tally:
        """Return the tally of an account."""
        return self.tallies.setdefault(account, Tally())

    def add(self, kind: Kind, account: str, where: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, account, where))

    def kinds(self) -> Counter[str]:
        """Return how many findings there are of each kind."""
        return Counter(str(finding.kind) for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as the database gave it back.

    Attributes:
        number: its place in the chain.
        link: the link that stands with it.
        line: its `chain.COLUMNS`, as COPY writes them.
        movements: its ledger lines, `rows.MOVEMENT_COLUMNS`.
    """

    number: int
    link: bytes
    line: str
    movements: Sequence[str] = ()

    @property
    def where(self) -> str:
        """Which row this is, for people."""
        key, topic, partition, offset, event_id, *_ = self.line.split("\t")
        return f"row {self.number}: {event_id} of {key}, {topic}[{partition}]@{offset}"

    @property
    def owner(self) -> str:
        """Whose row this is, by its key."""
        return "|".join(self.line.partition("\t")[0].split("|")[:2])


class ChainCheck:
    """Walks the chain of one account, row by row.

    Args:
        account: ``venue|account``.
        starts: number → the link before it, where retention cut the chain.
        end: where the chain ends by the table of accounts; None: it has no such row,
            and the chain is walked as far as there are rows.
        report: takes what is found.
    """

    def __init__(
        self, account: str, starts: dict[int, bytes], end: End | None, report: Report
    ) -> None:
        self._account = account
        self._starts = starts
        self._end = end
        self._report = report
        self._last = End()

    def take(self, rows: Iterable[Stored]) -> None:
        """Check the next rows, in the order of their numbers."""
        for row in rows:
            self._report.of(self._account).rows += 1
            beyond = self._end is not None and row.number > self._end.number
            if beyond or row.number <= self._last.number:
                self._found(Kind.ADDED, row.where)
                continue
            before = self._before(row.number)
            if before and row.link != link_of(before, row.line, row.movements):
                self._found(Kind.CHANGED, row.where)
            self._last = End(row.number, row.link)

    def finish(self) -> None:
        """Check that the chain ends where it should; call this after the last row."""
        end, last = self._end, self._last
        if end is None:
            return
        if last.number < end.number:
            before = self._before(end.number + 1)
            if before is not None and before != end.link:
                self._found(Kind.CHANGED, f"the link of row {end.number}")
        elif last.link != end.link and end.number:
            self._found(Kind.CHANGED, f"the link of row {end.number}")

    def _before(self, number: int) -> bytes | None:
        """Return the link before a row; None if the row before is missing."""
        first = self._last.number + 1
        if number == first:
            return self._last.link
        if number in self._starts:
            return self._starts[number]
        many = f"rows {first} to {number - 1}"
        self._found(Kind.MISSING, many if number - first > 1 else f"row {first}")
        return None

    def _found(self, kind: Kind, where: str) -> None:
        self._report.add(kind, self._account, where)


@dataclass(frozen=True, slots=True)
class Indexed:
    """An id and the row that it stands for, which do not fit.

    Attributes:
        number: of the row in its account.
        event_id, digest, live_epoch: by the rows; the first two None: there is no row.
        held_digest, held_epoch: by the index of ids; the first None: it has none.
    """

    number: int
    event_id: str | None
    digest: UUID | None
    live_epoch: int | None
    held_digest: UUID | None
    held_epoch: int | None

    def __str__(self) -> str:
        """Return what does not fit, for people."""
        if self.digest is None:
            return f"row {self.number}: an id stands for it, and it is not there"
        where = f"row {self.number}: {self.event_id}"
        if self.held_digest is None:
            return f"{where} is not in the index of ids"
        if self.held_digest != self.digest:
            return f"{where} has another id in the index"
        told, held = self.live_epoch or "none", self.held_epoch or "none"
        return f"{where} was told live in epoch {told}, {held} is held"


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of an event id.

    Attributes:
        live_epoch: greatest epoch that told it live; None: only backfill did.
        place: topic, partition and offset of its first record.
        line: `rows.COLUMNS` of that, as COPY writes them.
    """

    live_epoch: int | None
    place: tuple[str, int, int]
    line: str


def judge(
    row: Row, known: Known | None, horizon: datetime | None, report: Report
) -> None:
    """Compare a record of the topic, which is due to be stored, with what is.

    Args:
        row: the record, as storage makes a row of it.
        known: what is stored of its id.
        horizon: what arrived before was dropped by retention; None: nothing was.
        report: takes what is found.
    """
    event, at = row.placed.event, row.placed
    account = f"{event.venue}|{event.account}"
    tally = report.of(account)
    tally.on_topic += 1
    where = f"{event.event_id} of {row.key}, {at.topic}[{at.partition}]@{at.offset}"
    if known is None:
        if horizon is not None and event.received_at < horizon:
            tally.expired += 1
        else:
            report.add(Kind.NOT_STORED, account, where)
    elif known.place == (at.topic, at.partition, at.offset):
        if known.line != row.line:
            report.add(Kind.OTHER, account, where)
    elif event.kind == BACKFILL or (known.live_epoch or 0) >= event.epoch:
        tally.repeated += 1
    else:
        report.add(Kind.NOT_STORED, account, where)


@dataclass(frozen=True, slots=True)
class OnLatest:
    """What holds for a key, in PostgreSQL or on the latest topic.

    Attributes:
        venue, account: whose balance it is.
        event_id, epoch, balance: the event that says so.
        received_at: when it arrived, UTC.
    """

    venue: str
    account: str
    event_id: str
    epoch: int
    balance: Decimal
    received_at: datetime

    @classmethod
    def of(cls, event: BalanceEvent) -> "OnLatest":
        """Return what an event says."""
        return cls(
            event.venue,
            event.account,
            event.event_id,
            event.epoch,
            event.balance,
            event.received_at,
        )

    def __str__(self) -> str:
        """Return the balance and its event, for people."""
        return f"{plain(self.balance)} by {self.event_id}"


def judge_latest(
    latest: Mapping[str, OnLatest],
    held: Mapping[str, OnLatest],
    now: datetime,
    report: Report,
) -> None:
    """Compare the latest topic with what holds; call this after all of `judge`.

    Args:
        latest: balance key → its record on the topic.
        held: balance key → what PostgreSQL has.
        now: time of the reading, UTC.
        report: takes what is found; accounts that lag are left out.
    """
    for key in sorted(latest.keys() | held.keys()):
        told, stored = latest.get(key), held.get(key)
        owner = told or stored
        assert owner is not None  # noqa: S101 — the key is of one of the two
        tally = report.of(f"{owner.venue}|{owner.account}")
        tally.balances += 1
        under_way = stored and now - stored.received_at < UNDER_WAY
        if told == stored or tally.lag or under_way:
            continue
        where = f"{key}: {told or 'nothing'} on latest, {stored or 'nothing'} is held"
        report.add(Kind.LATEST, f"{owner.venue}|{owner.account}", where)


def summary(report: Report) -> Iterator[str]:
    """Yield one line for each kind of finding, or that all agree."""
    if report.agree:
        yield "PostgreSQL and Kafka agree"
    for kind, count in sorted(report.kinds().items()):
        yield f"{kind}: {count:,}"
