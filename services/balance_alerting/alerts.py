"""The life of alerts: begun, held, told, repeated, ended. No I/O.

An alert is the pair of a rule and a balance or account. It begins when the rule has
been broken for as long as it says, and ends once it has not been for `keep_firing_for`.
While the figures cannot be trusted it neither begins nor ends: it is held.

A record of an alert says up to where it was decided: how far the topics had been read,
and at what time. After a start the same records are read again, and may lie before
that. They are taken note of, and the alert is left as it is until that point is passed:
what was decided and written is not decided again, with other times or a second count.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from balance_alerting.accounts import Account, Settled, Tracker
from balance_alerting.conditions import Dropped, Finding
from balance_alerting.memory import (
    AGAIN,
    FIRING,
    HELD,
    NEW,
    REPEAT,
    RESOLVED,
    Episode,
    Owed,
    Read,
)
from balance_alerting.rules import (
    AvailableBelow,
    BalanceBelow,
    BaseRule,
    MovementAbove,
    Negative,
    Ruleset,
    Withdrawal,
)
from balance_alerting.selectors import Subject
from balance_alerting.texts import describe, place
from balance_alerting.timers import Timers
from balance_schemas.records import Alert

WRITTEN_EVERY = timedelta(seconds=10)
"""How long the figure of an alert that lasts goes unwritten once it has changed."""

SOONEST_AGAIN = timedelta(milliseconds=1)
"""How long after its last beginning an alert begins anew: ids tell it to that."""

ON_MOVEMENTS = (MovementAbove, Withdrawal)
"""Rules on what happens: they are broken for a moment, again and again."""

_DOWN = (BalanceBelow, AvailableBelow, Negative)
_OVER = Finding(broken=False)


class Alerts:
    """The alerts of one engine.

    Args:
        ruleset: the rules.
        timers: the engine's.

    Attributes:
        begun: whether anything is decided yet.
        read: how far the topics have been read, with the record that is being taken.
        taken: the same without it.
    """

    def __init__(self, ruleset: Ruleset, timers: Timers[Tracker | Account]) -> None:
        self.quality = ruleset.data_quality_rule()
        self._ruleset = ruleset
        self._timers = timers
        self._rules: dict[str, BaseRule] = {one.name: one for one in ruleset.rules}
        self._rules[self.quality.name] = self.quality
        self._restored: dict[str, Episode] = {}
        self._active: dict[str, Tracker] = {}
        self._untold: dict[str, Episode] = {}
        self._unwritten: dict[str, Episode] = {}
        self._records: list[Alert] = []
        self._waiting: list[Tracker] = []
        self.begun = False
        self.read = self.taken = Read()

    # What was before

    def restore(self, episode: Episode) -> None:
        """Take an alert as its topic has it; the last one counts."""
        episode.take_back(self._ruleset.routes)
        self._restored[episode.alert_id] = episode

    def orphans(self) -> list[Subject]:
        """Return the subjects of restored alerts that no tracker has taken yet."""
        return [
            episode.subject
            for episode in self._restored.values()
            if episode.state != RESOLVED and episode.rule in self._rules
        ]

    def close_restored(self) -> None:
        """End the alerts whose rule is gone; go on telling of those that have ended.

        These wait for a tracker: their balance may not have been told of yet.
        """
        for episode in self._restored.values():
            if episode.state != RESOLVED:
                over = max(self._timers.now, episode.started_at)
                self._end(episode, over, "the rule is gone")
            else:
                self._tell(episode)

    def tracker(self, rule: BaseRule, subject: Subject) -> Tracker:
        """Return a new tracker, with the alert of before if there is one."""
        alert_id = f"{rule.name}|{subject.key}"
        tracker = Tracker(rule, subject, alert_id)
        before = self._restored.pop(alert_id, None)
        if before is not None:
            tracker.began = before.started_at
            self._wait(tracker, Settled(before.read, before.updated_at))
            if before.state != RESOLVED:
                self._go_on_from(tracker, before)
            self._tell(before)
        return tracker

    def _go_on_from(self, tracker: Tracker, before: Episode) -> None:
        tracker.episode = before
        tracker.broken = not isinstance(tracker.rule, ON_MOVEMENTS)
        tracker.since = before.last_at or before.started_at
        tracker.finding = Finding(tracker.broken, before.value, before.limit)
        routes = self._ruleset.routes_of(tracker.rule)
        before.told = dict.fromkeys(routes, 0) | before.told
        self._active[tracker.alert_id] = tracker

    def _wait(self, tracker: Tracker, settled: Settled) -> None:
        tracker.settled = settled
        self._waiting.append(tracker)
        self._timers.set(tracker, settled.at)

    def _waits(self, tracker: Tracker) -> bool:
        """Return whether what was decided before the start reaches beyond now."""
        settled = tracker.settled
        return settled is not None and not (
            self.taken.reaches(settled.read) and self._timers.now >= settled.at
        )

    def caught_up(self) -> list[Tracker]:
        """Return those that have passed what was decided before the start, once.

        Call it between two records.
        """
        self.taken = self.read
        if not (self._waiting and self.begun):
            return []
        passed = [one for one in self._waiting if not self._waits(one)]
        self._waiting = [one for one in self._waiting if self._waits(one)]
        return passed

    # What is found

    def find(self, tracker: Tracker, finding: Finding, at: datetime) -> None:
        """Take what a rule found, true from a time on."""
        tracker.finding = finding
        if finding.broken:
            tracker.cause = finding
            if tracker.episode is not None and not self._counted(tracker):
                self._farthest(tracker, tracker.episode)
        if finding.broken != tracker.broken or tracker.since is None:
            tracker.broken, tracker.since = finding.broken, at
        elif tracker.episode is None:
            return
        self.decide(tracker)

    def happened(self, tracker: Tracker, finding: Finding, at: datetime) -> None:
        """Take what a rule on movements found: every one counts."""
        if self._counted(tracker):
            return
        tracker.finding = tracker.cause = finding
        tracker.since = at
        episode = tracker.episode
        if episode is None:
            episode = self._start(tracker, at)
            kind = NEW
        else:
            episode.count += 1
            self._measure(tracker, episode)
            kind = AGAIN
        episode.last_at = at
        self._notify(tracker, episode, kind)
        self.decide(tracker)

    def _counted(self, tracker: Tracker) -> bool:
        """Return whether the alert's record has this event in it, by its offset."""
        settled = tracker.settled
        return settled is not None and 0 < self.read.events <= settled.read.events

    # What is decided

    def decide(self, tracker: Tracker) -> None:
        """Begin, hold, repeat or end an alert, as is due by now."""
        if not self.begun or tracker.since is None or self._waits(tracker):
            return
        episode = tracker.episode
        if episode is None:
            due = tracker.since + tracker.rule.wait
            if not tracker.broken:
                return
            if tracker.rule.wait and due > self._timers.now:
                self._timers.set(tracker, due)
                return
            episode = self._start(tracker, due)
        self._hold_or_not(tracker, episode)
        if tracker.broken or not tracker.trusted():
            self._go_on(tracker, episode)
        else:
            self._let_end(tracker, episode)

    def _start(self, tracker: Tracker, at: datetime) -> Episode:
        rule = tracker.rule
        if tracker.began is not None:  # no two of an id have the same notices' ids
            at = max(at, tracker.began + SOONEST_AGAIN)
        tracker.began = at
        episode = tracker.episode = Episode(
            alert_id=tracker.alert_id,
            rule=rule.name,
            severity=rule.severity,
            subject=tracker.subject,
            labels=dict(rule.labels),
            state=HELD,  # until it is known that it may be told
            started_at=at,
            updated_at=self._timers.now,
            told=dict.fromkeys(self._ruleset.routes_of(rule), 0),
        )
        self._active[tracker.alert_id] = tracker
        last = self._untold.pop(tracker.alert_id, None)
        if last is not None:
            episode.follow(last)
            self._tell(episode)
        self._measure(tracker, episode)
        if not tracker.trusted():
            self._rewrite(tracker, episode)
        return episode

    def _hold_or_not(self, tracker: Tracker, episode: Episode) -> None:
        trusted = tracker.trusted()
        if trusted and episode.state == HELD:
            if episode.notice:
                episode.state = FIRING
                self._rewrite(tracker, episode)
            elif tracker.broken:  # else it is over before anybody was told
                self._notify(tracker, episode, NEW)
        elif not trusted and episode.state == FIRING:
            episode.state = HELD
            self._rewrite(tracker, episode)

    def _go_on(self, tracker: Tracker, episode: Episode) -> None:
        self._measure(tracker, episode)
        if isinstance(tracker.condition, Dropped):
            self._timers.set(tracker, tracker.condition.next_change())
        if episode.state == FIRING and episode.noticed_at is not None:
            now, repeat = self._timers.now, tracker.rule.repeat
            if episode.noticed_at + repeat <= now:
                self._notify(tracker, episode, REPEAT)
            self._timers.set(tracker, episode.noticed_at + repeat)

    def _let_end(self, tracker: Tracker, episode: Episode) -> None:
        since = tracker.since or self._timers.now
        keep = tracker.rule.keep_firing_for
        due = since + keep
        if keep and due > self._timers.now:
            self._timers.set(tracker, due)
            return
        tracker.episode = None
        episode.value = tracker.finding.value
        self._end(episode, max(since, episode.started_at), "")

    def _end(self, episode: Episode, at: datetime, why: str) -> None:
        """End an alert; those who were told of it are told of its end."""
        self._active.pop(episode.alert_id, None)
        episode.state, episode.resolved_at = RESOLVED, at
        rule = self._rules.get(episode.rule) or self.quality
        describe(rule, episode, _OVER)
        if why:
            episode.summary = f"{place(episode.subject)}: {episode.rule}: {why}"
        if episode.notice:
            episode.notice += 1
            episode.noticed_at = self._timers.now
        self._untold.pop(episode.alert_id, None)
        self._tell(episode)
        self._write(episode)

    def _measure(self, tracker: Tracker, episode: Episode) -> None:
        """Note the figure and the farthest one."""
        value = tracker.finding.value
        if value != episode.value:
            self._unwritten[episode.alert_id] = episode
        episode.value, episode.limit = value, tracker.finding.limit
        if tracker.broken or isinstance(tracker.rule, ON_MOVEMENTS):
            self._farthest(tracker, episode)

    def _farthest(self, tracker: Tracker, episode: Episode) -> None:
        """Note how far it went, from figures of before the start too."""
        value, worst = tracker.finding.value, episode.worst
        farther = min if isinstance(tracker.rule, _DOWN) else max
        if value is None or (worst is not None and farther(value, worst) == worst):
            return
        episode.worst = value
        self._unwritten[episode.alert_id] = episode

    def _notify(self, tracker: Tracker, episode: Episode, kind: str) -> None:
        """Have everybody told."""
        episode.state = FIRING
        episode.kind = kind
        episode.notice += 1
        episode.noticed_at = self._timers.now
        self._tell(episode)
        self._rewrite(tracker, episode)

    # What is written and told

    def _rewrite(self, tracker: Tracker, episode: Episode) -> None:
        if tracker.cause is not None:  # else the words of before the start stay
            describe(tracker.rule, episode, tracker.cause)
        self._write(episode)

    def _write(self, episode: Episode) -> None:
        self._unwritten.pop(episode.alert_id, None)
        episode.updated_at, episode.read = self._timers.now, self.read
        self._records.append(episode.record())

    def _write_figures(self) -> None:
        """Write the figures that have changed and not been written for some time."""
        for episode in list(self._unwritten.values()):
            if episode.updated_at + WRITTEN_EVERY <= self._timers.now:
                self._rewrite(self._active[episode.alert_id], episode)

    def take_records(self) -> list[Alert]:
        """Return the records to publish, in order, each once.

        Take them before a position is committed: a start reads no figure again that is
        older than `WRITTEN_EVERY` there.
        """
        self._write_figures()
        records, self._records = self._records, []
        return records

    def owed(self, route: str) -> Iterator[Owed]:
        """Yield what a route is to be told next, one thing of each alert."""
        for episode in self._untold.values():
            owed = episode.owed(route)
            if owed is not None:
                yield owed

    def told(self, route: str, alert_id: str, began: datetime, number: int) -> None:
        """Note that a route took a notice of an alert; it is written to the topic."""
        for last, one in self._of_time(alert_id, began):
            if route in one.told:
                one.told[route] = max(number, one.told[route])
                self._noted(last)

    def refused(self, route: str, alert_id: str, began: datetime) -> None:
        """Note that a route does not want what it was told of an alert.

        It is told again, but once the alert has begun anew that goes on without it.
        """
        for last, one in self._of_time(alert_id, began):
            one.offered.discard(route)
            if one is not last and route in one.told:
                one.told[route] = one.notice
                self._noted(last)

    def _of_time(self, alert_id: str, at: datetime) -> list[tuple[Episode, Episode]]:
        """Return the last alert of an id, and that of a time, if there is one."""
        lasting = self._active.get(alert_id)
        last = lasting.episode if lasting else self._untold.get(alert_id)
        if last is None:
            return []
        return [(last, one) for one in (*last.before, last) if one.started_at == at]

    def _noted(self, episode: Episode) -> None:
        episode.forget()
        self._write(episode)
        if not episode.owes():
            self._untold.pop(episode.alert_id, None)

    def _tell(self, episode: Episode) -> None:
        if episode.owes():
            self._untold[episode.alert_id] = episode

    def lasting(self) -> Iterator[Episode]:
        """Yield the alerts that fire, and those that fired and are held."""
        for tracker in self._active.values():
            if tracker.episode is not None and tracker.episode.notice:
                yield tracker.episode

    def counts(self) -> Counter[tuple[str, str]]:
        """Return (rule, severity) → number of alerts that fire or are held."""
        return Counter(
            (tracker.rule.name, tracker.rule.severity)
            for tracker in self._active.values()
        )

    def rule(self, name: str) -> BaseRule | None:
        """Return a rule by its name."""
        return self._rules.get(name)
