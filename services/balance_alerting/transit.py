"""Transfers that take too long: the rules that need the events of every account.

Theory of operation. A withdrawal and its deposit are of two accounts, which may lie in
two partitions. The instance that has partition 0 therefore reads all events, beside its
group, from as far back as a transfer may take. That is repeated at every start, so it
keeps nothing but its alerts. `Late` is pure; `LateWatch` reads.
"""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from balance_alerting.accounts import Account, Tracker
from balance_alerting.alerts import Alerts
from balance_alerting.conditions import Finding
from balance_alerting.memory import Episode, episode_of
from balance_alerting.restore import read
from balance_alerting.rules import Ruleset, TransitOlderThan
from balance_alerting.selectors import Selector, Subject
from balance_alerting.timers import Timers
from balance_schemas.decimals import plain
from balance_schemas.records import Alert, BalanceEvent
from balance_schemas.topics import ALERTS, EVENTS
from balance_shared.kafka import Reader
from balance_shared.kafka.consumer import Positions
from balance_shared.matching import WINDOW, Leg
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_shared.transit import Transits

LOOK_EVERY = timedelta(seconds=2)
"""How often new events are asked for."""


class Late:
    """What is in transit for too long, by the rules on that.

    Args:
        ruleset: the rules; the others are left alone.
    """

    def __init__(self, ruleset: Ruleset) -> None:
        self._timers: Timers[Tracker | Account] = Timers()
        self.alerts = Alerts(ruleset, self._timers)
        self._rules = [
            (rule, Selector(rule.match))
            for rule in ruleset.rules
            if isinstance(rule, TransitOlderThan)
        ]
        self._transits = Transits()
        self._subjects: dict[str, Subject] = {}
        self._trackers: dict[tuple[str, str], Tracker] = {}

    def restore(self, episode: Episode) -> None:
        """Take an alert as its topic has it, if it is of such a rule."""
        if any(rule.name == episode.rule for rule, _ in self._rules):
            self.alerts.restore(episode)
            self._subjects[episode.subject.key] = episode.subject

    def begin(self) -> None:
        """Decide from now on."""
        for subject in self.alerts.orphans():
            for rule, _ in self._rules:
                self._tracker(rule, subject)
        self.alerts.begun = True
        self.alerts.close_restored()

    def take(self, event: BalanceEvent) -> None:
        """Take a record of the events topic."""
        if self._transits.take(event):
            pocket = event.subaccount, event.wallet, event.wallet_id, event.asset
            subject = Subject(event.venue, event.account, *pocket)
            self._subjects[event.key] = subject

    def tick(self, now: datetime) -> None:
        """Judge what is in transit at a time."""
        for whom in self._timers.advance(now):
            if isinstance(whom, Tracker):
                self.alerts.decide(whom)
        for rule, selector in self._rules:
            late = {
                leg.key: (leg, count)
                for leg, count in self._transits.oldest(now, now - rule.older_than)
                if selector.takes(self._subjects[leg.key])
            }
            self._judge(rule, late, now)

    def _judge(
        self, rule: TransitOlderThan, late: dict[str, tuple[Leg, int]], now: datetime
    ) -> None:
        """Say of each balance whether something of it is late, the oldest first."""
        for key in late:
            self._tracker(rule, self._subjects[key])
        for (name, key), tracker in self._trackers.items():
            if name != rule.name:
                continue
            if key not in late:
                self.alerts.find(tracker, Finding(broken=False), now)
                continue
            first, count = late[key]
            more = f", and {count - 1} more" if count > 1 else ""
            since = f"{first.at:%Y-%m-%d %H:%M:%S} UTC"
            note = f"{plain(first.amount)} in transit since {since}{more}"
            finding = Finding(broken=True, value=first.amount, note=note)
            self.alerts.find(tracker, finding, first.at + rule.older_than)

    def _tracker(self, rule: TransitOlderThan, subject: Subject) -> Tracker:
        place = rule.name, subject.key
        if place not in self._trackers:
            self._trackers[place] = self.alerts.tracker(rule, subject)
        return self._trackers[place]


class LateWatch:
    """Reads all events for `Late`; use `start`, then `look`, then `stop`.

    Args:
        settings: where Kafka and the registry are.
        registry: where schemas come from.
        ruleset: the rules.
    """

    def __init__(
        self, settings: ServiceSettings, registry: Registry, ruleset: Ruleset
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._late = Late(ruleset)
        self._stack = AsyncExitStack()
        self._reader: Reader | None = None
        self._positions: Positions = {}
        self._look_at: datetime | None = None

    @property
    def alerts(self) -> Alerts:
        """What is to be published and told."""
        return self._late.alerts

    async def start(self, now: datetime) -> None:
        """Read what was before.

        Raises:
            BusInterrupted: Kafka failed in a way that passes.
        """
        reader = Reader(self._settings, [EVENTS, ALERTS])
        self._reader = await self._stack.enter_async_context(reader)
        places = reader.places(ALERTS)
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        async for batch in reader.read(starts, ends):
            for incoming in batch:
                alert = await read(self._registry, ALERTS, incoming)
                episode = episode_of(alert) if isinstance(alert, Alert) else None
                if episode is not None:
                    self._late.restore(episode)
        events = reader.places(EVENTS)
        since = await reader.since(dict.fromkeys(events, now - WINDOW))
        self._positions = {**await reader.ends(events), **since}
        self._late.begin()

    async def look(self, now: datetime) -> None:
        """Read what is new, and judge, if it is time."""
        reader = self._reader
        if reader is None or (self._look_at and now < self._look_at):
            return
        ends = await reader.ends(self._positions.keys())
        async for batch in reader.read(self._positions, ends):
            for incoming in batch:
                event = await read(self._registry, EVENTS, incoming)
                if isinstance(event, BalanceEvent):
                    self._late.take(event)
        self._positions = ends
        self._late.tick(now)
        self._look_at = now + LOOK_EVERY

    async def stop(self) -> None:
        """Let go of Kafka."""
        await self._stack.aclose()
