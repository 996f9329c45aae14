"""One alert from its beginning to its end, written to its topic and read back.

Theory of operation. Whatever people have to be told of raises `notice`; the record
keeps the last notice that each route was told. Whoever reads the record therefore
knows what is still to be sent, whichever process comes to its end when.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from balance_alerting.route_settings import SUBJECT
from balance_alerting.selectors import Subject
from balance_schemas.decimals import plain
from balance_schemas.records import Alert

FIRING, HELD, RESOLVED = "firing", "held", "resolved"

NEW, AGAIN, REPEAT = "new", "again", "repeat"
"""Kinds of notice while an alert lasts: its beginning, another movement, a reminder."""

_TOLD = "told."


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
        superseded: whether the alert has begun anew since: it is on no topic any more.
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
    superseded: bool = False

    def untold(self) -> list[str]:
        """Return the routes that have not taken the last notice."""
        return [route for route, notice in self.told.items() if notice < self.notice]

    def kind_for(self, route: str) -> str:
        """Return what the last notice is to a route: new where it knows of none."""
        if self.state == RESOLVED:
            return RESOLVED
        return self.kind if self.told.get(route) else NEW

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
        }
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
        )
    except (KeyError, ValueError, ArithmeticError):
        return None


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
