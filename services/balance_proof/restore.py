"""How much of what was on the topics at the start is read, for people."""

from collections.abc import Mapping

from balance_proof.merge import Place

TOLD_EVERY_S = 5.0
"""How often the log says how far reading is, in seconds."""


class Restore:
    """One reading of the topics.

    Args:
        read: offset of the first record of each place.
        ends: offset after the last record that was there at the start.
        now_s: of any clock that does not jump, in seconds.

    Attributes:
        ends: as given.
        is_done: whether all is read.
        size: how many records that were.
    """

    def __init__(
        self, read: Mapping[Place, int], ends: Mapping[Place, int], now_s: float
    ) -> None:
        self.ends = ends
        self.is_done = False
        self.size = self._left(read)
        self._began_s = self._told_s = now_s

    def reach(self, read: Mapping[Place, int]) -> str:
        """Return in words how far the places are read.

        Offsets are counted: what compaction took away counts as read.
        """
        done = self.size - self._left(read)
        return f"reading the topics: {done:,} of {self.size:,} records"

    def is_due(self, now_s: float) -> bool:
        """Whether the log should say it again; counts as said then."""
        due = now_s - self._told_s >= TOLD_EVERY_S
        if due:
            self._told_s = now_s
        return due

    def end(self, now_s: float) -> float:
        """Note that all is read; return how long it took, in seconds."""
        self.is_done = True
        return now_s - self._began_s

    def _left(self, read: Mapping[Place, int]) -> int:
        return sum(max(0, end - read.get(at, 0)) for at, end in self.ends.items())
