"""What a stand-in venue counts about those who call it: common to all venues."""

from collections import Counter, deque
from dataclasses import dataclass, field

from balance_simulator.exact import MICROSECONDS

ATTEMPTS_WINDOW_US = 600 * MICROSECONDS
_MINUTE_S = 60


@dataclass(slots=True)
class Statistics:
    """Counts since the start of the venue.

    Attributes:
        attempts: connection attempts, refused ones included.
        connections: connections that were made.
        subscribes: subscriptions asked for, by outcome (``success`` or the error).
        rest_calls: calls by endpoint.
        rest_errors: errors answered, by text.
        frames: frames given to clients, by kind.
        window_us: time over which connection attempts are limited, microseconds.
        recent_attempts: times of the attempts within the window, microseconds.
    """

    attempts: int = 0
    connections: int = 0
    subscribes: Counter[str] = field(default_factory=Counter)
    rest_calls: Counter[str] = field(default_factory=Counter)
    rest_errors: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    window_us: int = ATTEMPTS_WINDOW_US
    recent_attempts: deque[int] = field(default_factory=deque)

    def attempt(self, now_us: int) -> int:
        """Count a connection attempt; return how many the window saw."""
        self.attempts += 1
        self.recent_attempts.append(now_us)
        return self.attempts_in_window(now_us)

    def attempts_in_window(self, now_us: int) -> int:
        """Return the connection attempts within the window."""
        while self.recent_attempts and (
            now_us - self.recent_attempts[0] > self.window_us
        ):
            self.recent_attempts.popleft()
        return len(self.recent_attempts)

    @property
    def window_name(self) -> str:
        """The window as part of a name: ``10min`` or ``15s``."""
        whole_s = self.window_us // MICROSECONDS
        minutes, seconds = divmod(whole_s, _MINUTE_S)
        return f"{whole_s}s" if seconds else f"{minutes}min"
