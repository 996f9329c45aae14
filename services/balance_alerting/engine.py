"""Records and time to alerts. No I/O and no clock of its own.

Theory of operation. An engine has the balances of one partition, which hold all of an
account. Records are facts, true from their own time on. Events also move the clock:
each first lets the timers go off that were due before it, in their order. So what is
decided, and the times in it, follow from the events, whenever and by whomever they are
read; `tick` says that time has passed without any. Other records move no clock, as
they may be read before events that are older.

While an account is stale, or a balance's proof does not stand, alerts on its figures
are held, and one alert of the account stands for all of them. Each balance has the list
of its own rules, made when it is first seen: an event costs what is in that list.

At a start the engine is told what was before: the alerts as their topic has them, then
records of the past, which are only taken note of. `begin` decides on all of it.
"""

from datetime import datetime

from balance_alerting.accounts import (
    VIOLATED,
    Account,
    Balance,
    Feed,
    Tracker,
    figures_of,
)
from balance_alerting.alerts import ON_MOVEMENTS, Alerts
from balance_alerting.conditions import (
    Dropped,
    Finding,
    condition_of,
    moved_by,
    occurrence,
)
from balance_alerting.memory import Episode
from balance_alerting.rules import (
    ProofViolated,
    ReconciliationFailed,
    Ruleset,
    StaleFor,
    TransitOlderThan,
    UnprovenFor,
)
from balance_alerting.selectors import Selector, Subject
from balance_alerting.timers import Timers
from balance_schemas.decimals import plain
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Difference,
    Reconciliation,
)

_ON_ACCOUNTS = (StaleFor, UnprovenFor, ReconciliationFailed)
_SHOWN = 3


class Engine:
    """The alerts of one partition.

    Args:
        ruleset: the rules.

    Attributes:
        alerts: what is to be published and told.
    """

    def __init__(self, ruleset: Ruleset) -> None:
        self._timers: Timers[Tracker | Account] = Timers()
        self.alerts = Alerts(ruleset, self._timers)
        self._rules = [(rule, Selector(rule.match)) for rule in ruleset.rules]
        self._balances: dict[str, Balance] = {}
        self._accounts: dict[str, Account] = {}

    @property
    def now(self) -> datetime:
        """The time that has been reached."""
        return self._timers.now

    # What was before

    def restore(self, episode: Episode) -> None:
        """Take an alert as its topic has it, before any other record.

        Those of transfers are not of one partition; see `balance_alerting.transit`.
        """
        if not isinstance(self.alerts.rule(episode.rule), TransitOlderThan):
            self.alerts.restore(episode)

    def begin(self, now: datetime) -> None:
        """Decide on all that was told so far; from now on every record counts.

        Args:
            now: up to when records were told, UTC.
        """
        self._timers.now = max(self._timers.now, now)
        for subject in self.alerts.orphans():
            (self._balance if subject.wallet else self._account)(subject)
        self.alerts.begun = True
        self.alerts.taken = self.alerts.read
        self.alerts.close_restored()
        for account in self._accounts.values():
            account.look(self._timers.now)
            self._watch_silence(account)
            self._judge_account(account)
        for balance in self._balances.values():
            for tracker in (*balance.watched, *balance.proved, *balance.counted):
                self._judge_again(tracker)
                self.alerts.decide(tracker)

    # Facts

    def take_event(self, event: BalanceEvent, beyond: int = 0) -> None:
        """Take a record of the events topic.

        Args:
            event: the record.
            beyond: offset of the next one; 0: not known.
        """
        self._advance(event.received_at)
        self.alerts.read = self.alerts.read._replace(events=beyond)
        balance = self._balances.get(event.key) or self._balance(_subject_of(event))
        balance.account.feed = event.feed
        if balance.counted and event.kind in {"update", "backfill"}:
            self._count(balance, event)
        if not balance.takes(event):
            return
        balance.epoch = event.epoch
        balance.figures = figures = figures_of(event)
        for tracker in balance.watched:
            condition = tracker.condition
            active = tracker.episode is not None
            finding = condition(figures, active) if condition else None
            if finding is None:
                continue
            if finding.broken or active or tracker.broken or tracker.since is None:
                self.alerts.find(tracker, finding, figures.at)

    def take_latest(self, event: BalanceEvent) -> None:
        """Take the current balance of a key of which no event was told yet."""
        known = self._balances.get(event.key)
        if known is None or known.figures is None:
            self.take_event(event)

    def take_status(
        self, key: str, status: ConnectorStatus | None, at: datetime
    ) -> None:
        """Take a record of the status topic.

        Args:
            key: of the record.
            status: its value; None gives the feed up.
            at: when it was written, UTC.
        """
        if status is not None:
            account = self._account(Subject(status.venue, status.account))
            account.feeds[status.feed] = Feed(status, at)
            self._look(account)
            return
        account_key, _, feed = key.rpartition("|")
        given_up = self._accounts.get(account_key)
        if given_up is not None:
            given_up.feeds.pop(feed, None)
            self._look(given_up)

    def take_proof(self, proof: BalanceProof) -> None:
        """Take a record of the proofs topic."""
        balance = self._balance(_subject_of(proof))
        changed = balance.prove(proof)
        for tracker in balance.proved:
            self._judge_proof(tracker, balance, proof)
        if not changed:
            return
        self._count_unproven(balance)
        if balance.watched:
            untrusted = balance.account.untrusted
            (untrusted.add if balance.unproven else untrusted.discard)(proof.key)
            for tracker in balance.watched:
                self.alerts.decide(tracker)
            self._judge_quality(balance.account)

    def take_reconciliation(self, told: Reconciliation, beyond: int = 0) -> None:
        """Take a record of the reconciliations topic.

        Args:
            told: the record.
            beyond: offset of the next one; 0: not known.
        """
        self._catch_up()
        self.alerts.read = self.alerts.read._replace(reconciliations=beyond)
        account = self._account(Subject(told.venue, told.account))
        if told.verdict == "inconclusive":
            return
        for tracker in account.trackers:
            if isinstance(tracker.rule, ReconciliationFailed):
                finding = _differing(Selector(tracker.rule.match), told)
                self.alerts.find(tracker, finding, told.answered_at)

    def tick(self, now: datetime) -> None:
        """Say that nothing else was told up to a time."""
        self._advance(now)

    # Time

    def _advance(self, now: datetime) -> None:
        if not self.alerts.begun:
            self._timers.now = max(self._timers.now, now)
            return
        self._catch_up()
        for whom in self._timers.advance(now):
            if isinstance(whom, Account):
                self._look(whom)
            else:
                self._judge_again(whom)
                self.alerts.decide(whom)

    def _catch_up(self) -> None:
        """Decide on what has passed all that was decided before the start."""
        for tracker in self.alerts.caught_up():
            self._judge_again(tracker)
            self.alerts.decide(tracker)

    def _judge_again(self, tracker: Tracker) -> None:
        """Look at a drop each time that its peak has left the window by now."""
        condition = tracker.condition
        figures = tracker.balance.figures if tracker.balance else None
        if not isinstance(condition, Dropped) or figures is None:
            return
        while (at := condition.next_change()) and at <= self._timers.now:
            active = tracker.episode is not None
            finding = condition.again(figures, active, at)
            if finding is not None:
                self.alerts.find(tracker, finding, at)

    # Who is there

    def _balance(self, subject: Subject) -> Balance:
        key = subject.key
        balance = self._balances.get(key)
        if balance is None:
            account = self._account(Subject(*subject[:2]))
            balance = self._balances[key] = Balance(subject, account)
            self._give_rules(balance)
            if balance.watched:
                account.watched[key] = balance
                if account.stale:
                    self._judge_quality(account)
        return balance

    def _give_rules(self, balance: Balance) -> None:
        for rule, selector in self._rules:
            if isinstance(rule, _ON_ACCOUNTS) or not selector.takes(balance.subject):
                continue
            condition = condition_of(rule)
            tracker = self.alerts.tracker(rule, balance.subject)
            if condition is not None:
                tracker.condition, tracker.balance = condition, balance
                balance.watched.append(tracker)
            elif isinstance(rule, ON_MOVEMENTS):
                balance.counted.append(tracker)
            elif isinstance(rule, ProofViolated):
                balance.proved.append(tracker)

    def _account(self, subject: Subject) -> Account:
        key = subject.account_key
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account(subject)
            account.quality = self.alerts.tracker(self.alerts.quality, subject)
            account.trackers = [
                self.alerts.tracker(rule, subject)
                for rule, selector in self._rules
                if isinstance(rule, _ON_ACCOUNTS)
                and selector.takes_account(subject.venue, subject.account)
            ]
        return account

    # What is found

    def _count(self, balance: Balance, event: BalanceEvent) -> None:
        """Take the movements of an event, once."""
        if not balance.is_news(event.event_id) or not self.alerts.begun:
            return
        before = balance.figures.balance if balance.figures else None
        moved = moved_by(event, before)
        for tracker in balance.counted:
            finding = occurrence(tracker.rule, moved)
            if finding is not None:
                self.alerts.happened(tracker, finding, event.received_at)

    def _judge_proof(
        self, tracker: Tracker, balance: Balance, proof: BalanceProof
    ) -> None:
        """A violation ends when the balance is proven, not when nothing is known."""
        violated = proof.verdict == VIOLATED
        broken = violated or (tracker.broken and bool(balance.unproven))
        residual = "?" if proof.residual is None else plain(proof.residual)
        note = f"the books are off by {residual}: {proof.reason}".rstrip(": ")
        finding = Finding(broken, proof.observed, proof.expected, note)
        self.alerts.find(tracker, finding, proof.checked_at)

    def _count_unproven(self, balance: Balance) -> None:
        since, key = balance.unproven_since, balance.subject.key
        for tracker in balance.account.trackers:
            rule = tracker.rule
            ours = isinstance(rule, UnprovenFor)
            if not ours or not Selector(rule.match).takes(balance.subject):
                continue
            tracker.unproven.pop(key, None)
            if since is not None:
                tracker.unproven[key] = since
            self._judge_unproven(tracker)

    def _judge_unproven(self, tracker: Tracker) -> None:
        """It lasts as long as the one balance that has been unproven longest."""
        first = min(tracker.unproven, key=tracker.unproven.__getitem__, default=None)
        if first is None:
            self.alerts.find(tracker, Finding(broken=False), self._timers.now)
            return
        since, why = tracker.unproven[first], self._balances[first].unproven
        note = f"{len(tracker.unproven)} balances are not proven; {first}: {why}"
        if tracker.broken:
            tracker.since = since
        self.alerts.find(tracker, Finding(broken=True, note=note), since)

    def _look(self, account: Account) -> None:
        """See whether an account is stale, and what follows."""
        changed = account.look(self._timers.now)
        self._watch_silence(account)
        if changed and self.alerts.begun:
            self._judge_account(account)
            for balance in account.watched.values():
                for tracker in balance.watched:
                    self.alerts.decide(tracker)

    def _watch_silence(self, account: Account) -> None:
        if self.alerts.begun and account.wake is None:
            self._timers.set(account, account.silent_at())

    def _judge_account(self, account: Account) -> None:
        now = self._timers.now
        for tracker in account.trackers:
            if isinstance(tracker.rule, StaleFor):
                finding = Finding(bool(account.stale), note=account.stale)
                self.alerts.find(tracker, finding, account.stale_since or now)
            self.alerts.decide(tracker)
        self._judge_quality(account)

    def _judge_quality(self, account: Account) -> None:
        """One alert stands for all of an account's that are held, or would be."""
        tracker = account.quality
        if tracker is None:
            return
        total = len(account.watched)
        number = total if account.stale else len(account.untrusted)
        note, since = "", account.stale_since
        if number:
            first = next(iter(account.untrusted), "")
            if not account.stale:
                since = self._balances[first].unproven_since
            why = account.stale or f"{first}: {self._balances[first].unproven}"
            note = f"{number} of {total} watched balances cannot be trusted: {why}"
        finding = Finding(bool(number), note=note)
        self.alerts.find(tracker, finding, since or self._timers.now)
        self.alerts.decide(tracker)


def _subject_of(told: BalanceEvent | BalanceProof) -> Subject:
    return Subject(
        told.venue,
        told.account,
        told.subaccount,
        told.wallet,
        told.wallet_id,
        told.asset,
    )


def _differing(selector: Selector, told: Reconciliation) -> Finding:
    """Return what differs of those balances that a rule is for."""

    def ours(one: Difference) -> bool:
        pocket = one.subaccount, one.wallet, one.wallet_id, one.asset
        return selector.takes(Subject(told.venue, told.account, *pocket))

    found = [one for one in told.differences if ours(one)]
    shown = ", ".join(f"{one.asset} by {plain(one.residual)}" for one in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    note = f"stream and REST differ: {shown}{more}" if found else ""
    return Finding(told.verdict == "inconsistent" and bool(found), note=note)
