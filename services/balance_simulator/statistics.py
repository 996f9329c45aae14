"""What a stand-in venue counts about those who call it: common to all venues."""

from collections import Counter, deque
from dataclasses import dataclass, field

from balance_simulator.exact import MICROSECONDS

ATTEMPTS_WINDOW_US = 600 * MICROSECONDS


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
        recent_attempts: times of the attempts of the last ten minutes, microseconds.
    """

    attempts: int = 0
    connections: int = 0
    subscribes: Counter[str] = field(default_factory=Counter)
    rest_calls: Counter[str] = field(default_factory=Counter)
    rest_errors: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    recent_attempts: deque[int] = field(default_factory=deque)

    def attempt(self, now_us: int) -> int:
        """Count a connection attempt; return how many the last ten minutes saw."""
        self.attempts += 1
        self.recent_attempts.append(now_us)
        return self.attempts_in_window(now_us)

    def attempts_in_window(self, now_us: int) -> int:
        """Return the connection attempts of the last ten minutes."""
        while self.recent_attempts and (
            now_us - self.recent_attempts[0] > ATTEMPTS_WINDOW_US
        ):
            self.recent_attempts.popleft()
        return len(self.recent_attempts)
