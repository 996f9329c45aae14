"""The names of facts that were told lately; the oldest are forgotten."""

FACTS_MAX = 50_000
"""Most facts of one account that are remembered."""


class Remembered:
    """A set that keeps its newest members: at least half as many as it may hold.

    They are forgotten by halves: to find the oldest one of a dict takes the longer,
    the more were deleted before it.

    Args:
        most: how many it may hold.
    """

    def __init__(self, most: int = FACTS_MAX) -> None:
        self._half = most // 2
        self._older: set[str] = set()
        self._newer: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._newer or name in self._older

    def add(self, name: str) -> None:
        """Remember a name; the older half goes where there are too many."""
        if len(self._newer) == self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(name)
