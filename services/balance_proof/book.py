"""What is known of one balance: its figure, what speaks for it, what speaks against it.

Amounts are integers in 10⁻¹⁸ of the asset: exact, and of any size.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from balance_proof.question import Question
from balance_schemas.records import BalanceEvent

CHAIN, SNAPSHOT, RECONCILIATION = "chain", "snapshot", "reconciliation"

MOVES_KEPT = 32
"""How many of its last movements a balance remembers the times of."""


class Place(NamedTuple):
    """Which balance it is, in the fields of its key."""

    venue: str
    account: str
    subaccount: str
    wallet: str
    wallet_id: str
    asset: str

    @property
    def group(self) -> tuple[str, str]:
        """What a comparison by asset takes together: subaccount and asset."""
        return self.subaccount, self.asset


def place_of(event: BalanceEvent) -> Place:
    """Return which balance an event is of."""
    return Place(
        event.venue,
        event.account,
        event.subaccount,
        event.wallet,
        event.wallet_id,
        event.asset,
    )


class Evidence(NamedTuple):
    """That a balance's present figure is right.

    Attributes:
        method: chain, snapshot or reconciliation.
        through: all that the venue booked before that time, UTC, is in the figure. It
            was the venue's own right then, but for a picture, which is not older than
            its epoch and may be a little younger.
    """

    method: str
    through: datetime


@dataclass(frozen=True, slots=True)
class Dispute:
    """What REST says otherwise, found twice at rest.

    Attributes:
        streamed: our figure, of the balance or of all wallets of the asset; None where
            we know none or it fits no record.
        observed: REST's.
        residual: REST's less ours.
        epoch: in which it was found first.
        at: when the comparison began.
        lasting: whether a new picture did not end it.
    """

    streamed: int | None
    observed: int | None
    residual: int
    epoch: int
    at: datetime
    lasting: bool = False


@dataclass(slots=True)
class Book:
    """One balance.

    Attributes:
        place: which.
        balance: as last told.
        event_id: of the event that told it.
        epoch: of that event; None if it is known by its earlier verdict alone.
        absent: whether it was told as vanished.
        astray: whether the bus says two things of it: events one, latest another.
        told_at: when that event arrived; None as of the epoch.
        why: why there is no evidence, for people.
        evidence: that the figure is right, if there is.
        question: what has to be explained, if anything has.
        dispute: what REST says otherwise, if it does.
        proven_through: up to when the books were ever proven.
        moved_at: when the last events that changed it arrived, oldest first.
    """

    place: Place
    balance: int
    event_id: str
    epoch: int | None
    absent: bool = False
    astray: bool = False
    told_at: datetime | None = None
    why: str = ""
    evidence: Evidence | None = None
    question: Question | None = None
    dispute: Dispute | None = None
    proven_through: datetime | None = None
    moved_at: deque[datetime] = field(default_factory=lambda: deque(maxlen=MOVES_KEPT))

    def prove(self, evidence: Evidence) -> None:
        """Take evidence for the present figure; the later one counts."""
        if self.evidence is None or evidence.through > self.evidence.through:
            self.evidence = evidence

    def doubt(self, why: str) -> None:
        """Note that nothing speaks for the present figure yet, and why."""
        self.evidence, self.why = None, why

    def proven(self, through: datetime) -> None:
        """Note that the books were right up to a time."""
        if self.proven_through is None or through > self.proven_through:
            self.proven_through = through

    def rested(self, since: datetime, until: datetime) -> bool:
        """Whether no event changed it in a time; False where that is forgotten."""
        if not self.moved_at or self.moved_at[-1] < since:
            return True
        if any(since <= at <= until for at in self.moved_at):
            return False
        return not self.forgets(since)

    def forgets(self, since: datetime) -> bool:
        """Whether it may not remember all that changed it since a time."""
        return len(self.moved_at) == MOVES_KEPT and self.moved_at[0] > since
