"""The names of facts that were told lately; the oldest are forgotten."""

FACTS_MAX = 50_000
"""Most facts of one account that are remembered."""


class Remembered:
    """A set that keeps its newest members.

    Args:
        most: how many.
    """

    def __init__(self, most: int = FACTS_MAX) -> None:
        self._most = most
        self._names: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Remember a name; the oldest goes where there are too many."""
        self._names[name] = None
        if len(self._names) > self._most:
            del self._names[next(iter(self._names))]
