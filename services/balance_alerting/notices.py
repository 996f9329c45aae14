"""One alert as it is told to one route, and the JSON that says it. No I/O."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import Template
from typing import Any

import msgspec

from balance_alerting.memory import RESOLVED, Owed, facts
from balance_alerting.rules import BaseRule
from balance_alerting.texts import annotations
from balance_schemas.records import Alert

_SOONEST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a route is told of one alert.

    Attributes:
        alert: as it is on the topic.
        number: of the notice; it grows with each thing there is to tell of an alert.
        kind: new, again (another movement), repeat (a reminder) or resolved.
        texts: annotation → text.
        facts: what ``${…}`` stands for.
        resent: it was told before; some routes forget what is not told again.
    """

    alert: Alert
    number: int
    kind: str
    texts: Mapping[str, str]
    facts: Mapping[str, str]
    resent: bool = False

    @property
    def notice_id(self) -> str:
        """One id, one thing told: the same if it had to be sent twice."""
        began = int(self.alert.started_at.timestamp() * 1000)
        return f"{self.alert.alert_id}#{began}#{self.number}"


def notice_of(owed: Owed, rule: BaseRule | None, *, resent: bool = False) -> Notice:
    """Return a notice of an alert as it stands."""
    return Notice(
        alert=owed.episode.record(),
        number=owed.number,
        kind=owed.kind,
        texts=annotations(rule, owed.episode, owed.kind),
        facts=facts(owed.episode, owed.kind),
        resent=resent,
    )


def alertmanager_body(notice: Notice, now: datetime, expires: timedelta) -> Any:
    """Return an alert as Alertmanager's API v2 takes it.

    One that fires ends far away: Alertmanager would report it as resolved if we told
    nothing for its `resolve_timeout`, though only we may know.
    """
    alert = notice.alert
    ends = now + expires
    if alert.state == RESOLVED:
        ended = alert.resolved_at or alert.updated_at
        ends = max(ended, alert.started_at + _SOONEST)
    named = {"alertname": alert.rule, "severity": alert.severity}
    return {
        "labels": alert.labels | named,
        "annotations": dict(notice.texts),
        "startsAt": alert.started_at.isoformat(),
        "endsAt": ends.isoformat(),
    }


def webhook_body(notice: Notice, template: Mapping[str, Any] | None) -> bytes:
    """Return the JSON for a webhook: its own template filled in, or all there is."""
    if template is not None:
        return msgspec.json.encode(_filled(template, notice.facts))
    alert = notice.alert
    return msgspec.json.encode(
        {
            "id": notice.notice_id,
            "kind": notice.kind,
            "alert_id": alert.alert_id,
            "rule": alert.rule,
            "severity": alert.severity,
            "state": alert.state,
            "labels": alert.labels,
            "value": notice.facts["value"] or None,
            "threshold": notice.facts["threshold"] or None,
            "worst": notice.facts["worst"] or None,
            "count": int(notice.facts["count"]),
            "started_at": alert.started_at,
            "updated_at": alert.updated_at,
            "resolved_at": alert.resolved_at,
            "annotations": dict(notice.texts),
        }
    )


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return what proves that a body is ours, and when it was sent.

    Source for receivers: HMAC-SHA256 with the shared secret over the timestamp as
    sent, a full stop and the body, in hexadecimal digits.
    """
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()


def _filled(part: Any, known: Mapping[str, str]) -> Any:
    match part:
        case str():
            return Template(part).safe_substitute(known)
        case list():
            return [_filled(one, known) for one in part]
        case dict():
            return {name: _filled(one, known) for name, one in part.items()}
    return part
