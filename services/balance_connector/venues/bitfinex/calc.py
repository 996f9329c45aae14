"""Asks for what is available where the venue tells null (page "Calc").

The venue calculates ``BALANCE_AVAILABLE`` on request only: at most 30 names in a
request and 8 a second. Its answer is a ``wu`` like any other, without a mark that says
which request it answers, and may never come. So each wallet is asked for once at a
time, again after a while, and given up after a few times.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from balance_connector.books import Pocket

BATCH_MAX = 30
"""Most names in one request."""

WINDOW_MAX = 8
"""Most names in any `WINDOW`."""

WINDOW = timedelta(seconds=1.25)
"""The venue's second, and a margin for requests that are delayed on their way."""

TIMEOUT = timedelta(seconds=10)
"""How long an answer may take before the wallet is asked for again."""

TRIES_MAX = 3
"""How often a wallet is asked for in vain before it is left as unknown."""


@dataclass(slots=True)
class _Asked:
    """How often a wallet was asked for, and when last."""

    times: int = 0
    at: datetime | None = None


def name_of(pocket: Pocket) -> str:
    """Return the name of a wallet in requests: underscores, and the venue's code."""
    return f"wallet_{pocket.wallet_id}_{pocket.venue_asset}"


class CalcQueue:
    """What is to be asked for, oldest first; each wallet once."""

    def __init__(self) -> None:
        self._wanted: dict[str, _Asked] = {}
        self._sent: deque[tuple[datetime, int]] = deque()

    def want(self, name: str) -> None:
        """Ask for a wallet soon; where it was asked for, its tries start anew."""
        self._wanted.setdefault(name, _Asked()).times = 0

    def told(self, name: str) -> None:
        """Note that a wallet's available part was told."""
        self._wanted.pop(name, None)

    def clear(self) -> None:
        """Forget what was wanted, but not what was sent."""
        self._wanted.clear()

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Return the request that may be sent now, if there is one."""
        names = self._due_names(now, min(self._free(now), BATCH_MAX))
        if not names:
            return ()
        self._sent.append((now, len(names)))
        return (msgspec.json.encode([0, "calc", None, [[name] for name in names]]),)

    def _free(self, now: datetime) -> int:
        """Return how many names may be asked for; a clock set back only delays."""
        self._sent = deque(
            (min(at, now), count) for at, count in self._sent if now - at < WINDOW
        )
        return WINDOW_MAX - sum(count for _, count in self._sent)

    def _due_names(self, now: datetime, count_max: int) -> list[str]:
        names: list[str] = []
        for name, asked in list(self._wanted.items()) if count_max else ():
            if asked.at is not None and abs(now - asked.at) < TIMEOUT:
                continue
            del self._wanted[name]
            if asked.times >= TRIES_MAX:
                continue
            self._wanted[name] = _Asked(asked.times + 1, now)
            names.append(name)
            if len(names) == count_max:
                break
        return names
