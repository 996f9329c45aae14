"""What rules would have done to the records of a time. No I/O; `history` reads.

Theory of operation. The records of all topics are played to the engine that the service
has, one engine for each partition, in the order in which they were written; before each
the clock goes as far as the service's would have been. What was before the time is only
taken note of, as after a restart. So what is found is what the service would have done,
had it lived through the time, as far as the topics still have what it would have read.

A topic that has lost records (by age, or compacted: only the last of each key is kept)
is whole from some time on. Before that nothing is said of rules that depend on it; and
where the alerts topic is not whole, it is not said that something did not fire.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from balance_alerting.conditions import condition_of
from balance_alerting.engine import Engine
from balance_alerting.memory import Episode, episode_of
from balance_alerting.restore import IN_FLIGHT, lookback, take
from balance_alerting.rules import (
    DATA_QUALITY,
    BaseRule,
    ProofViolated,
    ReconciliationFailed,
    Ruleset,
    StaleFor,
    TransitOlderThan,
    UnprovenFor,
)
from balance_alerting.transit import LOOK_EVERY, Late
from balance_schemas.records import Alert, BalanceEvent, Record
from balance_schemas.topics import (
    ALERTS,
    EVENTS,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
    Topic,
)
from balance_shared.kafka import Incoming
from balance_shared.matching import WINDOW
from balance_shared.transit import Transits

AGREED, MISSED, EXTRA = "fired too", "did not fire", "would not fire"
"""How what would have been compares with what was."""

UNKNOWN, UNJUDGED = "not known", "not judged"
"""Nobody knows whether it fired; it fired, and nobody knows whether it would have."""

COMPARED_BEFORE = timedelta(days=1)
"""How long before the time comparisons are read: the last of them counts."""

Whole = Mapping[Topic, datetime]
"""Topic that has lost records → since when it has all that was written to it, UTC."""

_DEPENDS: Mapping[type[BaseRule], Topic] = {
    StaleFor: STATUS,
    ProofViolated: PROOFS,
    UnprovenFor: PROOFS,
    ReconciliationFailed: RECONCILIATIONS,
}
"""Rules → the topic that they are on; all others are on events."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One alert that would have been, or was.

    Attributes:
        rule: its name.
        severity: as the rule says.
        alert_id: stable name of rule and balance.
        started_at: when it began, UTC.
        resolved_at: when it ended, UTC; None: not within the time.
        worst: farthest figure, in units of the asset; None if it has none.
        count: how often it happened, for rules on movements.
        compared: with what is on the alerts topic.
        summary: one line.
    """

    rule: str
    severity: str
    alert_id: str
    started_at: datetime
    resolved_at: datetime | None
    worst: Decimal | None
    count: int
    compared: str
    summary: str


def past(ruleset: Ruleset) -> timedelta:
    """Return how long before the time events matter."""
    on_transfers = any(isinstance(one, TransitOlderThan) for one in ruleset.rules)
    return max(lookback(ruleset), WINDOW if on_transfers else timedelta(0))


class Backtest:
    """Rules that are played the records of one partition.

    Args:
        ruleset: the rules.
        start: from when on alerts count, UTC; earlier records are only taken note of.
        end: up to when, UTC.
        latest: the current balance of each key, for those of which no event is played.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        start: datetime,
        end: datetime,
        latest: Iterable[BalanceEvent] = (),
    ) -> None:
        self._engine = Engine(ruleset)
        self._start = start
        self._end = end
        self._latest = latest
        self._found: dict[tuple[str, datetime], Episode] = {}

    def take(self, at: datetime, record: Record | None, incoming: Incoming) -> None:
        """Take a record, None for a tombstone; in the order of `at`.

        Args:
            at: when it was written, UTC; of an event, when it arrived.
            record: what it says.
            incoming: where it lies, and its key.
        """
        if at >= self._end:
            return
        if at >= self._start:
            self._begin()
            if not isinstance(record, BalanceEvent):
                self._engine.tick(at - IN_FLIGHT)
        take(self._engine, record, incoming)
        self._keep()

    def finish(self) -> list[Episode]:
        """Let time pass up to the end; returns what would have been told."""
        self._begin()
        self._engine.tick(self._end)
        self._keep()
        return [one for one in self._found.values() if one.notice]

    def _begin(self) -> None:
        if self._engine.alerts.begun:
            return
        for event in self._latest:
            if event.received_at < self._start:
                self._engine.take_latest(event)
        self._engine.begin(self._start)

    def _keep(self) -> None:
        self._found |= _episodes(self._engine.alerts.take_records())


class LateBacktest:
    """Rules on transfers that are played the events of all partitions.

    Args:
        ruleset: the rules.
        start: from when on alerts count, UTC.
        end: up to when, UTC.
    """

    def __init__(self, ruleset: Ruleset, start: datetime, end: datetime) -> None:
        self._late = Late(ruleset)
        self._start = start
        self._end = end
        self._transits = Transits()
        self._before: dict[str, BalanceEvent] = {}
        self._legs: list[BalanceEvent] = []

    def take(self, event: BalanceEvent) -> None:
        """Take an event; those of one account in the order of the topic."""
        if event.received_at >= self._end:
            return
        if self._transits.take(event):
            before = self._before.pop(event.key, None)  # what changed, it may tell
            self._legs += [event] if before is None else [before, event]
        elif event.kind != "backfill":
            self._before[event.key] = event

    def finish(self) -> list[Episode]:
        """Play the transfers in their order; returns what would have been told."""
        found: dict[tuple[str, datetime], Episode] = {}
        self._late.begin()
        over = [(_left(one) + WINDOW + LOOK_EVERY, None) for one in self._legs]
        told = [(one.received_at, one) for one in self._legs]
        for at, event in sorted([*told, *over], key=lambda one: one[0]):
            if at < self._end:
                self._late.tick(at)
                if event is not None:
                    self._late.take(event)
                    self._late.tick(at)
        self._late.tick(self._end)
        found = _episodes(self._late.alerts.take_records())
        return [
            one
            for one in found.values()
            if one.notice and (one.resolved_at or self._end) >= self._start
        ]


def _left(event: BalanceEvent) -> datetime:
    return event.venue_time or event.received_at


def _episodes(records: Iterable[Alert]) -> dict[tuple[str, datetime], Episode]:
    """Return the last state of each episode."""
    found = (episode_of(alert) for alert in records)
    return {(one.alert_id, one.started_at): one for one in found if one is not None}


def outcomes(
    would: Iterable[Episode],
    was: Iterable[Alert],
    ruleset: Ruleset,
    times: tuple[datetime, datetime],
    whole: Whole,
) -> list[Outcome]:
    """Compare what would have been with what was, in the order of their beginnings.

    Two are the same if they are of the same rule and balance, and overlap.

    Args:
        would: as `Backtest.finish` and `LateBacktest.finish` return it.
        was: the records of the alerts topic, in its order.
        ruleset: the rules that were played.
        times: from when and up to when, UTC.
        whole: since when topics are, that are not.
    """
    start, end = times
    known = _episodes(was).values()
    actual = [one for one in known if one.notice and _overlap(one, start, end)]
    found, matched = [], set[int]()
    for one in would:
        same = [
            place
            for place, other in enumerate(actual)
            if other.alert_id == one.alert_id
            and _overlap(other, one.started_at, one.resolved_at or end)
        ]
        matched.update(same)
        lost = ALERTS in whole and one.started_at < whole[ALERTS]
        found.append(_outcome(one, AGREED if same else UNKNOWN if lost else MISSED))
    since = _judged_since(ruleset, whole)
    for place, one in enumerate(actual):
        if place not in matched:
            judged = one.rule not in since or one.started_at >= since[one.rule]
            found.append(_outcome(one, EXTRA if judged else UNJUDGED))
    return sorted(found, key=lambda one: (one.started_at, one.alert_id))


def notes(ruleset: Ruleset, start: datetime, whole: Whole) -> Iterator[str]:
    """Yield a line for each thing that the topics do not tell any more.

    Args:
        ruleset: the rules that are played.
        start: from when on alerts count, UTC.
        whole: since when topics are, that are not.
    """
    late = {topic: since for topic, since in whole.items() if since > start}
    if EVENTS in late:
        yield f"the events topic begins at {_spoken(late[EVENTS])}"
    for topic, since in late.items():
        names = [one.name for one in ruleset.rules if _DEPENDS.get(type(one)) is topic]
        if names:
            yield (
                f"{', '.join(names)}: not judged before {_spoken(since)}, as the "
                f"{topic.name} topic has lost records of before"
            )
    held = [late[topic] for topic in (STATUS, PROOFS) if topic in late]
    values = [one for one in ruleset.rules if condition_of(one) is not None]
    if held and values:
        yield (
            f"before {_spoken(max(held))} it is not known what would have been held: "
            "rules on values are judged as if all could be trusted"
        )
    if ALERTS in late:
        yield (
            f"the alerts topic has lost records of before {_spoken(late[ALERTS])}: "
            f"what it does not tell of is {UNKNOWN}"
        )


def _judged_since(ruleset: Ruleset, whole: Whole) -> dict[str, datetime]:
    """Return rule → since when it can be judged, of those that cannot be always."""
    held = [whole[topic] for topic in (STATUS, PROOFS) if topic in whole]
    since = {DATA_QUALITY: max(held)} if held else {}
    for rule in ruleset.rules:
        topics = {EVENTS, _DEPENDS.get(type(rule), EVENTS)}
        lost = [whole[topic] for topic in topics if topic in whole]
        if lost:
            since[rule.name] = max(lost)
    return since


def _spoken(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _overlap(one: Episode, start: datetime, end: datetime) -> bool:
    return one.started_at <= end and (one.resolved_at or start) >= start


def _outcome(one: Episode, compared: str) -> Outcome:
    return Outcome(
        rule=one.rule,
        severity=one.severity,
        alert_id=one.alert_id,
        started_at=one.started_at,
        resolved_at=one.resolved_at,
        worst=one.worst,
        count=one.count,
        compared=compared,
        summary=one.summary,
    )
