"""How much of what was on the topics at the start is read, for people."""

from collections.abc import Mapping

import structlog

from balance_proof.merge import Place

TOLD_EVERY_S = 5.0
"""How often the log says how far reading is, in seconds."""

log = structlog.get_logger(__name__)


class Restore:
    """One reading of the topics.

    Args:
        read: offset of the first record of each place.
        ends: offset after the last record that was there at the start.
        now_s: of any clock that does not jump, in seconds.

    Attributes:
        ends: as given.
        is_done: whether all is read.
    """

    def __init__(
        self, read: Mapping[Place, int], ends: Mapping[Place, int], now_s: float
    ) -> None:
        self.ends = ends
        self.is_done = False
        self._size = self._left(read)
        self._began_s = self._told_s = now_s

    def reach(self, read: Mapping[Place, int], now_s: float) -> str:
        """Note up to where the places are read; return that in words.

        Offsets are counted: what compaction took away counts as read.
        """
        told = self._size - self._left(read)
        if now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            log.info("restoring", read=told, of=self._size)
        return f"reading the topics: {told:,} of {self._size:,} records"

    def end(self, now_s: float) -> None:
        """Say that all is read."""
        self.is_done = True
        log.info(
            "restored", records=self._size, seconds=round(now_s - self._began_s, 1)
        )

    def _left(self, read: Mapping[Place, int]) -> int:
        return sum(max(0, end - read.get(at, 0)) for at, end in self.ends.items())
