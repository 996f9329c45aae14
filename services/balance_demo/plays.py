"""Which trouble the demo makes, and how the bus comes through it. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from balance_schemas.records import ConnectorStatus

LONG_S = 30.0
"""From this duration on a silence is played, which takes about 8 seconds to heal."""

PAUSE_S = 20.0
"""Seconds between two plays of a demo without an end."""

_TROUBLED = ("connecting", "syncing", "stale", "maintenance", "degraded")


@dataclass(frozen=True, slots=True)
class Play:
    """One trouble to make.

    Attributes:
        at_s: seconds after the start of the show.
        fault: name of the fault, as the stand-ins take it.
        words: what happens, for people.
        arguments: of the fault.
    """

    at_s: float
    fault: str
    words: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def gap(at_s: float) -> Play:
    """Return a lost update: the next one has a number that is not due."""
    return Play(at_s, "gap", "gap")


def close(at_s: float) -> Play:
    """Return a connection that the venue closes."""
    return Play(at_s, "close", "close")


def silence(at_s: float) -> Play:
    """Return seven seconds without any frame on a connection that stays open."""
    return Play(at_s, "silence", "silence of 7 s", {"seconds": 7})


def plan(duration_s: float | None) -> Iterator[Play]:
    """Yield the plays of a demo, in order of time.

    Args:
        duration_s: seconds that the show lasts: a gap after a third, and after two
            thirds a silence, or a close if there is no time for it. None: without an
            end.
    """
    if duration_s is not None:
        last = silence if duration_s >= LONG_S else close
        yield gap(duration_s / 3)
        yield last(duration_s * 2 / 3)
        return
    at_s = PAUSE_S / 2
    while True:
        for play in (gap, close, silence):
            yield play(at_s)
            at_s += PAUSE_S


@dataclass(slots=True)
class Incident:
    """A play that was made, and what the bus said about it.

    Attributes:
        play: what was made.
        venue: where.
        at: when, UTC.
        troubled_at: when the feed was first said not to be live; None before.
        live_at: when it was live again; None before.
    """

    play: Play
    venue: str
    at: datetime
    troubled_at: datetime | None = None
    live_at: datetime | None = None

    def take(self, status: ConnectorStatus) -> bool:
        """Take the status of a feed that owns balances; returns whether it is news."""
        if status.venue != self.venue or status.since < self.at or self.live_at:
            return False
        if status.state in _TROUBLED and self.troubled_at is None:
            self.troubled_at = status.since
            return True
        if status.state == "live" and self.troubled_at is not None:
            self.live_at = status.since
            return True
        return False

    def text(self) -> str:
        """Return the story so far: ``12:00:03 gap at kraken: stale after 40 ms``."""
        head = f"{self.at.astimezone():%H:%M:%S} {self.play.words} at {self.venue}: "
        if self.troubled_at is None:
            return f"{head}played"
        told = f"{head}stale after {self._after(self.troubled_at)}"
        if self.live_at is not None:
            told += f", live after {self._after(self.live_at)}"
        return told

    def _after(self, then: datetime) -> str:
        seconds = (then - self.at).total_seconds()
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
