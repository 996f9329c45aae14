"""Which trouble the demo makes, and how the bus comes through it. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle
from typing import Any

from balance_schemas.records import ConnectorStatus

PAUSE_S = 20.0
"""Seconds between two plays of a demo without an end."""

SHARE_MAX = 6
"""An outage lasts at most this part of the duration: there is time to heal."""

_TROUBLED = ("connecting", "syncing", "stale", "maintenance", "degraded")


@dataclass(frozen=True, slots=True)
class Play:
    """One trouble to make.

    Attributes:
        venue: where.
        fault: name of the fault, as the stand-ins take it.
        words: what happens, for people.
        arguments: of the fault.
    """

    venue: str
    fault: str
    words: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def within(self, duration_s: float) -> "Play":
        """Return the play with an outage that fits a demo of that many seconds."""
        seconds = min(self.arguments.get("seconds", 0), duration_s / SHARE_MAX)
        shorter = {"seconds": seconds} if seconds else {}
        return Play(self.venue, self.fault, self.words, {**self.arguments, **shorter})


def plan(
    duration_s: float | None, plays: Sequence[Play]
) -> Iterator[tuple[float, Play]]:
    """Yield what is played and when, in seconds after the start of the show.

    Args:
        duration_s: seconds that the show lasts: the first two plays, after a quarter
            and after a half. None: without an end, all plays in turn.
        plays: what there is.
    """
    if duration_s is not None:
        for part, play in zip((0.25, 0.5), plays, strict=False):
            yield duration_s * part, play.within(duration_s)
        return
    for number, play in enumerate(cycle(plays)):
        yield PAUSE_S * (number + 0.5), play


@dataclass(slots=True)
class Incident:
    """A play that was made, and what the bus said about it.

    Attributes:
        play: what was made.
        at: when, UTC.
        state: what the feed was first said to be; empty before.
        troubled_at: when that was; None before.
        live_at: when it was live again; None before.
        right_at: when its books were seen to equal the venue's again; None before.
    """

    play: Play
    at: datetime
    state: str = ""
    troubled_at: datetime | None = None
    live_at: datetime | None = None
    right_at: datetime | None = None

    def take(self, status: ConnectorStatus) -> bool:
        """Take the status of a feed that owns balances; returns whether it is news."""
        if status.venue != self.play.venue or status.since < self.at or self.live_at:
            return False
        if status.state in _TROUBLED and self.troubled_at is None:
            self.state, self.troubled_at = status.state, status.since
            return True
        if status.state == "live" and self.troubled_at is not None:
            self.live_at = status.since
            return True
        return False

    def text(self) -> str:
        """Return the story so far: ``12:00:03 gap at kraken: stale after 40 ms``."""
        head = f"{self.at.astimezone():%H:%M:%S} {self.play.words} at {self.play.venue}"
        moments = (
            (self.state, self.troubled_at),
            ("live", self.live_at),
            ("books right", self.right_at),
        )
        told = [f"{what} after {self._after(then)}" for what, then in moments if then]
        return f"{head}: {', '.join(told) or 'played'}"

    def _after(self, then: datetime) -> str:
        seconds = (then - self.at).total_seconds()
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
