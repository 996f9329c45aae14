"""What rules would have done to the events of a time. No I/O but in `play_topics`.

Events are played to engines as the service would have read them, one engine for each
partition, and time passes up to the end. Feeds and proofs are not played, as their
topics keep only the last state: nothing is held.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from balance_alerting.engine import Engine
from balance_alerting.memory import HELD, RESOLVED, Episode, episode_of
from balance_alerting.restore import lookback
from balance_alerting.rules import Ruleset
from balance_schemas.records import Alert, BalanceEvent, Record
from balance_schemas.topics import ALERTS, EVENTS, Topic
from balance_shared.kafka import Incoming, Reader
from balance_shared.kafka.consumer import decoded
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

AGREED, MISSED, EXTRA = "fired too", "did not fire", "would not fire"
"""How what would have been compares with what was."""


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


class Backtest:
    """Rules that are played events of one partition.

    Args:
        ruleset: the rules.
        start: from when on alerts count, UTC; earlier events are only taken note of.
        end: up to when, UTC.
    """

    def __init__(self, ruleset: Ruleset, start: datetime, end: datetime) -> None:
        self._engine = Engine(ruleset)
        self._start = start
        self._end = end
        self._found: dict[tuple[str, datetime], Episode] = {}

    def take(self, event: BalanceEvent) -> None:
        """Take an event; in the order of the topic."""
        if event.received_at >= self._end:
            return
        if event.received_at >= self._start and not self._engine.alerts.begun:
            self._engine.begin(self._start)
        self._engine.take_event(event)
        self._keep()

    def finish(self) -> list[Episode]:
        """Let time pass up to the end; returns what would have been told."""
        if not self._engine.alerts.begun:
            self._engine.begin(self._start)
        self._engine.tick(self._end)
        self._keep()
        return list(self._found.values())

    def _keep(self) -> None:
        for alert in self._engine.alerts.take_records():
            episode = episode_of(alert)
            if episode is not None:
                self._found[episode.alert_id, episode.started_at] = episode


def outcomes(
    would: Iterable[Episode], was: Iterable[Episode], start: datetime, end: datetime
) -> list[Outcome]:
    """Compare what would have been with what was, in the order of their beginnings.

    Two are the same if they are of the same rule and balance, and overlap.
    """
    actual = [one for one in was if _overlap(one, start, end) and one.notice]
    found, matched = [], set[int]()
    for one in would:
        same = [
            place
            for place, other in enumerate(actual)
            if other.alert_id == one.alert_id
            and _overlap(other, one.started_at, one.resolved_at or end)
        ]
        matched.update(same)
        found.append(_outcome(one, AGREED if same else MISSED))
    found += [
        _outcome(one, EXTRA)
        for place, one in enumerate(actual)
        if place not in matched and one.state != HELD
    ]
    return sorted(found, key=lambda one: (one.started_at, one.alert_id))


def _overlap(one: Episode, start: datetime, end: datetime) -> bool:
    ended = one.resolved_at if one.state == RESOLVED else None
    return one.started_at <= end and (ended is None or ended >= start)


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


async def play_topics(
    settings: ServiceSettings, ruleset: Ruleset, start: datetime, end: datetime
) -> tuple[list[Outcome], datetime | None]:
    """Play the events of the bus; returns the outcomes, and when the events begin.

    Raises:
        BusInterrupted: Kafka or the registry fails in a way that passes.
        RecordInvalid: a record cannot be read, so nothing can be said.
    """
    would: list[Episode] = []
    first: datetime | None = None
    async with (
        Registry(settings.schema_registry_url, 10) as registry,
        Reader(settings, [EVENTS, ALERTS]) as reader,
    ):
        for place in reader.places(EVENTS):
            backtest = Backtest(ruleset, start, end)
            starts = await reader.since({place: start - lookback(ruleset)})
            ends = await reader.ends([place])
            async for batch in reader.read(starts, ends):
                for incoming in batch:
                    event = await _read(registry, EVENTS, incoming)
                    if isinstance(event, BalanceEvent):
                        first = min(first or event.received_at, event.received_at)
                        backtest.take(event)
            would += backtest.finish()
        places = reader.places(ALERTS)
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        was: dict[tuple[str, datetime], Episode] = {}
        async for batch in reader.read(starts, ends):
            for episode in _episodes(
                [await _read(registry, ALERTS, one) for one in batch]
            ):
                was[episode.alert_id, episode.started_at] = episode
    return outcomes(would, was.values(), start, end), first


def _episodes(records: Iterable[Record | None]) -> Iterator[Episode]:
    for record in records:
        episode = episode_of(record) if isinstance(record, Alert) else None
        if episode is not None:
            yield episode


async def _read(registry: Registry, topic: Topic, incoming: Incoming) -> Record | None:
    if incoming.value is None:
        return None
    return await decoded(registry, topic.record, incoming)
