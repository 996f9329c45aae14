"""When a venue's asset names are to be asked for: what every venue's asking shares.

At the start, once a day, and soon after a code was met that the names do not know; an
answer that cannot be used is asked for again after a while.
"""

from datetime import datetime, timedelta

AGE_MAX = timedelta(days=1)
"""How long names serve before they are asked for again."""

RETRY = timedelta(minutes=10)
"""How soon after a failed answer or an unknown code they are asked for again."""


class NamesDue:
    """The time of the next question, and the codes that are known to be unknown."""

    def __init__(self) -> None:
        self._due_at: datetime | None = None
        self._unmapped: set[str] = set()

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to ask."""
        return self._due_at is None or now >= self._due_at

    def asked(self, now: datetime) -> None:
        """Note an answer, of whatever use."""
        self._due_at = now + RETRY

    def learned(self, now: datetime) -> None:
        """Note that the answer told the names: unknown codes are new again."""
        self._due_at = now + AGE_MAX
        self._unmapped.clear()

    def is_new_unknown(self, code: str, now: datetime) -> bool:
        """Note a code that the names do not know; whether it is the first time."""
        if code in self._unmapped:
            return False
        self._unmapped.add(code)
        soon = now + RETRY
        self._due_at = min(self._due_at or soon, soon)
        return True
