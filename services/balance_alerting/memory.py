"""One alert from its beginning to its end, written to its topic and read back.

Theory of operation. Whatever people have to be told of raises `notice`; the record
keeps the last notice that each route was told. Whoever reads the record therefore
knows what is still to be sent, whichever process comes to its end when.

The topic keeps the last record of an alert and no other. So that one record says all
that is owed: an alert that began anew carries, in `before`, what ended before it and
whose end some route has still to be told. A beginning and the end before it reach the
topic together or not at all.

A route is told in order, one thing at a time: the end that it knows the beginning of,
then the next beginning, then what has come since. `offered` is who may know more than
the record says. What was not offered to a route and is over when the alert begins anew
is left out: it would be history. Since one thing is noted before the next is offered, a
record that is read back tells who that may be: every route that it owes no end.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from balance_alerting.route_settings import SUBJECT
from balance_alerting.selectors import Subject
from balance_schemas.decimals import plain
from balance_schemas.records import Alert

FIRING, HELD, RESOLVED = "firing", "held", "resolved"

NEW, AGAIN, REPEAT = "new", "again", "repeat"
"""Kinds of notice while an alert lasts: its beginning, another movement, a reminder."""

_TOLD = "told."


class Read(NamedTuple):
    """How far the topics of a partition were read: the next offset of each.

    Attributes:
        events: of the events topic.
        reconciliations: of the reconciliations topic.
    """

    events: int = 0
    reconciliations: int = 0

    def reaches(self, other: "Read") -> bool:
        """Return whether all of another was read."""
        return (
            self.events >= other.events
            and self.reconciliations >= other.reconciliations
        )


NOTHING_READ = Read()


class Owed(NamedTuple):
    """What a route is to be told next of an alert.

    Attributes:
        episode: the alert, or an earlier one of its id.
        number: of the notice.
        kind: new, again, repeat or resolved.
    """

    episode: "Episode"
    number: int
    kind: str


@dataclass(slots=True)
class Episode:
    """One alert while it lasts, and after that until all are told of its end.

    Attributes:
        alert_id: stable name of rule and balance.
        rule: name of the rule.
        severity: as the rule says.
        subject: what it is about.
        labels: the rule's own labels.
        state: firing, held or resolved.
        started_at: when it began to fire.
        updated_at: when anything of it last changed.
        resolved_at: when it ended.
        value: last figure, in units of the asset.
        limit: what it is held against, in units of the asset.
        worst: farthest figure so far, in units of the asset.
        summary: one line.
        description: more.
        kind: of the last notice.
        count: how often it happened, for rules on movements.
        last_at: when it last happened, for rules on movements.
        notice: number of the last notice; 0: nobody has to be told yet.
        noticed_at: when that was.
        told: route → last notice that it took.
        read: how far the topics were read when it was last written.
        before: earlier ones of the same id that have ended, and whose end a route has
            to be told; the oldest first.
        offered: routes that may know of it, whatever `told` says; it is on no topic.
    """

    alert_id: str
    rule: str
    severity: str
    subject: Subject
    labels: dict[str, str]
    state: str
    started_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    value: Decimal | None = None
    limit: Decimal | None = None
    worst: Decimal | None = None
    summary: str = ""
    description: str = ""
    kind: str = NEW
    count: int = 1
    last_at: datetime | None = None
    notice: int = 0
    noticed_at: datetime | None = None
    told: dict[str, int] = field(default_factory=dict)
    read: Read = NOTHING_READ
    before: list["Episode"] = field(default_factory=list)
    offered: set[str] = field(default_factory=set)

    def untold(self) -> list[str]:
        """Return the routes that have not taken the last notice."""
        return [route for route, notice in self.told.items() if notice < self.notice]

    def owes(self) -> bool:
        """Return whether a route has something to be told, of it or of before it."""
        return bool(self.before or self.untold())

    def owed(self, route: str) -> Owed | None:
        """Return what a route is to be told next; None if it knows all.

        A beginning has the number 1, whenever it is told and whatever has come since:
        whoever was told of it before is told of it with the same id.
        """
        for one in (*self.before, self):
            told = one.told.get(route, one.notice)
            if told >= one.notice:
                continue
            if one.state == RESOLVED:
                return Owed(one, one.notice, RESOLVED)
            return Owed(one, one.notice, one.kind) if told else Owed(one, 1, NEW)
        return None

    def follow(self, last: "Episode") -> None:
        """Take over what is owed of the one before, which has ended."""
        for route in last.untold():
            if route not in last.offered:
                last.told[route] = last.notice
        self.before = [*last.before, last]
        last.before = []
        self.forget()

    def forget(self) -> None:
        """Let go of the ends that all were told."""
        self.before = [one for one in self.before if one.untold()]

    def take_back(self, routes: Container[str]) -> None:
        """Be what was read from the topic, which does not say who was offered it.

        Args:
            routes: that there are; nobody else is told anything.
        """
        for one in (*self.before, self):
            one.told = {name: n for name, n in one.told.items() if name in routes}
        self.forget()
        waiting = {route for one in self.before for route in one.untold()}
        self.offered = self.told.keys() - waiting
        for one in self.before:
            one.offered = set(one.told)

    def record(self) -> Alert:
        """Return it as it stands on the topic."""
        return Alert(
            alert_id=self.alert_id,
            rule=self.rule,
            severity=self.severity,
            state=self.state,
            labels=self.labels | named(self.subject),
            value=self.value,
            threshold=self.limit,
            summary=self.summary,
            description=self.description,
            started_at=self.started_at,
            updated_at=self.updated_at,
            resolved_at=self.resolved_at,
            attributes=self._attributes(),
        )

    def _attributes(self) -> dict[str, str]:
        noted = {
            "kind": self.kind,
            "count": str(self.count),
            "notice": str(self.notice),
            "worst": None if self.worst is None else plain(self.worst),
            "last_at": _text(self.last_at),
            "noticed_at": _text(self.noticed_at),
            "read.events": str(self.read.events),
            "read.reconciliations": str(self.read.reconciliations),
        }
        if self.before:
            records = [one.record() for one in self.before]
            noted["before"] = msgspec.json.encode(records).decode()
        told = {f"{_TOLD}{route}": str(number) for route, number in self.told.items()}
        return {name: text for name, text in noted.items() if text is not None} | told


def episode_of(alert: Alert) -> Episode | None:
    """Return what a record says, or None if it is not one of ours.

    Records of other programs have no attributes: nothing can be gone on with.
    """
    noted = alert.attributes
    try:
        return Episode(
            alert_id=alert.alert_id,
            rule=alert.rule,
            severity=alert.severity,
            subject=Subject(*(alert.labels.get(name, "") for name in SUBJECT)),
            labels={k: v for k, v in alert.labels.items() if k not in SUBJECT},
            state=alert.state,
            started_at=alert.started_at,
            updated_at=alert.updated_at,
            resolved_at=alert.resolved_at,
            value=alert.value,
            limit=alert.threshold,
            worst=Decimal(noted["worst"]) if "worst" in noted else None,
            summary=alert.summary,
            description=alert.description,
            kind=noted["kind"],
            count=int(noted["count"]),
            last_at=_time(noted.get("last_at")),
            notice=int(noted["notice"]),
            noticed_at=_time(noted.get("noticed_at")),
            told={
                name.removeprefix(_TOLD): int(text)
                for name, text in noted.items()
                if name.startswith(_TOLD)
            },
            read=Read(
                int(noted.get("read.events", 0)),
                int(noted.get("read.reconciliations", 0)),
            ),
            before=_before(noted.get("before", "[]")),
        )
    except (KeyError, ValueError, ArithmeticError, msgspec.MsgspecError):
        return None


def _before(text: str) -> list[Episode]:
    found = map(episode_of, msgspec.json.decode(text, type=list[Alert]))
    return [one for one in found if one is not None]


def named(subject: Subject) -> dict[str, str]:
    """Return the labels of a subject, empty ones left out."""
    return {name: text for name, text in subject._asdict().items() if text}


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def facts(episode: Episode, kind: str) -> dict[str, str]:
    """Return what ``${…}`` stands for in texts about an alert."""
    ended = episode.resolved_at or episode.updated_at
    amounts = {
        name: "" if amount is None else plain(amount)
        for name, amount in (
            ("value", episode.value),
            ("threshold", episode.limit),
            ("worst", episode.worst),
        )
    }
    values: dict[str, Any] = {
        "rule": episode.rule,
        "severity": episode.severity,
        "state": episode.state,
        "kind": kind,
        "alert_id": episode.alert_id,
        "count": str(episode.count),
        "duration": spoken(ended - episode.started_at),
        "started_at": episode.started_at.isoformat(),
        "resolved_at": _text(episode.resolved_at) or "",
        "summary": episode.summary,
        "description": episode.description,
    }
    return episode.subject._asdict() | amounts | values


def spoken(length: Any) -> str:
    """Return a length of time as people write it, such as ``2h 3m`` or ``45s``."""
    seconds = max(0, round(length.total_seconds()))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"
