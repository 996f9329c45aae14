"""What is known of balances and accounts, and whether it can be trusted. No I/O."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from balance_alerting.conditions import Condition, Figures, Finding
from balance_alerting.memory import Episode, Read
from balance_alerting.rules import BaseRule
from balance_alerting.selectors import Subject
from balance_schemas.records import BalanceEvent, BalanceProof, ConnectorStatus

SILENCE_MAX = timedelta(seconds=45)
"""A feed that has told no status for so long is stale: they come every 10 seconds."""

TRUSTED = frozenset({"live", "degraded"})
"""States of a feed whose balances can be trusted; the proof of a balance that is
degraded says that it is not."""

PROVEN, VIOLATED = "PROVEN", "VIOLATED"

EVENTS_REMEMBERED = 64
"""Event ids kept for each balance: what is learned late may be told twice."""


class Settled(NamedTuple):
    """Up to where all was decided before a start.

    Attributes:
        read: how far the topics had been read.
        at: the time that had been reached, UTC.
    """

    read: Read
    at: datetime


@dataclass(slots=True, eq=False)
class Tracker:
    """One rule on one balance or account.

    Attributes:
        rule: the rule.
        subject: what it is on.
        alert_id: stable name of the pair.
        condition: of rules on balances; None for the others.
        balance: whose trust decides, for alerts that may be held; None for the others.
        broken: whether the rule is broken.
        since: since when it is, or is not.
        finding: what was found last.
        cause: the last finding that broke the rule; None if that was before the start.
        episode: the alert; None while there is none.
        began: when its last alert began; None if there was none.
        wake: when it is looked at next without a record; None: not at all.
        unproven: balance keys → since when, for rules on the account's proofs.
        settled: up to where its topic said what was decided; None if it said nothing.
    """

    rule: BaseRule
    subject: Subject
    alert_id: str
    condition: Condition | None = None
    balance: "Balance | None" = None
    broken: bool = False
    since: datetime | None = None
    finding: Finding = Finding(broken=False)  # noqa: RUF009 — a value, never changed
    cause: Finding | None = None
    episode: Episode | None = None
    began: datetime | None = None
    wake: datetime | None = None
    unproven: dict[str, datetime] = field(default_factory=dict)
    settled: Settled | None = None

    def trusted(self) -> bool:
        """Return whether what it is about can be trusted."""
        return self.balance is None or self.balance.trusted()


@dataclass(slots=True, eq=False)
class Balance:
    """One balance.

    Attributes:
        subject: which.
        account: whose.
        figures: what it is; None until told.
        epoch: of the feed that told it.
        watched: rules on its figures.
        counted: rules on its movements.
        proved: rules on its proof.
        unproven: why its proof does not stand; empty while it does, or is not known.
        seen: ids of its last events.
    """

    subject: Subject
    account: "Account"
    figures: Figures | None = None
    epoch: int = 0
    watched: list[Tracker] = field(default_factory=list)
    counted: list[Tracker] = field(default_factory=list)
    proved: list[Tracker] = field(default_factory=list)
    unproven: str = ""
    verdict: str = ""
    unproven_since: datetime | None = None
    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def trusted(self) -> bool:
        """Return whether its figure can be trusted."""
        return not self.unproven and not self.account.stale

    def takes(self, event: BalanceEvent) -> bool:
        """Return whether an event says what the balance is now."""
        return event.kind != "backfill" and event.epoch >= self.epoch

    def is_news(self, event_id: str) -> bool:
        """Return whether an event was not seen before, and remember it."""
        if event_id in self.seen:
            return False
        self.seen[event_id] = None
        if len(self.seen) > EVENTS_REMEMBERED:
            self.seen.popitem(last=False)
        return True

    def prove(self, proof: BalanceProof) -> bool:
        """Take a proof; returns whether the verdict is another one."""
        good = proof.verdict == PROVEN
        changed = proof.verdict != self.verdict
        if good:
            self.unproven_since = None
        elif self.unproven_since is None:
            self.unproven_since = proof.checked_at
        self.verdict = proof.verdict
        self.unproven = "" if good else f"{proof.verdict} {proof.reason}".strip()
        return changed


def figures_of(event: BalanceEvent) -> Figures:
    """Return what an event says; of a balance that is absent nothing is free."""
    free = Decimal(0) if event.kind == "absent" else event.available
    return Figures(event.asset, event.balance, free, event.received_at, event.delta)


@dataclass(slots=True)
class Feed:
    """What the last status of a feed said.

    Attributes:
        status: the record.
        heard_at: when it was written.
    """

    status: ConnectorStatus
    heard_at: datetime


@dataclass(slots=True, eq=False)
class Account:
    """One account of one venue.

    Attributes:
        subject: which.
        feed: the one that its events come from; empty until known.
        feeds: name → what its last status said.
        stale: why its balances cannot be trusted; empty while they can.
        stale_since: since when.
        watched: balances with rules on their figures.
        untrusted: those of them whose proof does not stand.
        trackers: rules on the account.
        quality: the alert that stands for the held ones.
        wake: when it is looked at next without a record.
    """

    subject: Subject
    feed: str = ""
    feeds: dict[str, Feed] = field(default_factory=dict)
    stale: str = ""
    stale_since: datetime | None = None
    watched: dict[str, Balance] = field(default_factory=dict)
    untrusted: set[str] = field(default_factory=set)
    trackers: list[Tracker] = field(default_factory=list)
    quality: Tracker | None = None
    wake: datetime | None = None

    def look(self, now: datetime) -> bool:
        """See whether the feed is stale; returns whether that has changed.

        An account of which no status is known is judged by its figures alone.
        """
        before = bool(self.stale)
        feed = self._primary()
        self.stale, self.stale_since = "", None
        if feed is not None:
            status = feed.status
            if status.state not in TRUSTED:
                self.stale = f"feed is {status.state} {status.reason}".strip()
                self.stale_since = status.since
            elif feed.heard_at + SILENCE_MAX <= now:
                self.stale = "the connector says nothing any more"
                self.stale_since = feed.heard_at
        return before != bool(self.stale)

    def silent_at(self) -> datetime | None:
        """Return when it will be stale unless a status comes."""
        feed = self._primary()
        return feed.heard_at + SILENCE_MAX if feed and not self.stale else None

    def _primary(self) -> Feed | None:
        names = (self.feed, "ws", "rest")
        found = (self.feeds[name] for name in names if name in self.feeds)
        return next(found, None)
