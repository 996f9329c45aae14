"""The greatest value within a time that ends now."""

from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal


class Window:
    """Knows the peak of a figure that holds until the next one is told.

    Theory of operation. Only values that may still become the peak are kept: each is
    greater than every later one, so the first is the peak. A value counts until the
    window has passed the moment when the next one replaced it.

    Args:
        length: of the window.
    """

    def __init__(self, length: timedelta) -> None:
        self._length = length
        self._values: deque[tuple[Decimal, datetime | None]] = deque()

    @property
    def empty(self) -> bool:
        """Whether no value was told yet."""
        return not self._values

    def push(self, value: Decimal, at: datetime) -> None:
        """Take a value that holds from a time on; times must not go back."""
        if self._values:
            last, _ = self._values.pop()
            self._values.append((last, at))
        while self._values and self._values[-1][0] <= value:
            self._values.pop()
        self._values.append((value, None))

    def peak(self, now: datetime) -> Decimal | None:
        """Return the greatest value within the window, or None before the first."""
        while self._values:
            value, until = self._values[0]
            if until is None or until + self._length > now:
                return value
            self._values.popleft()
        return None

    def next_change(self) -> datetime | None:
        """Return when the peak will leave the window; None while it is in force."""
        until = self._values[0][1] if self._values else None
        return None if until is None else until + self._length
