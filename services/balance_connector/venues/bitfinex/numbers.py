"""Follows MSG_SEQ, the number of every array frame of one connection.

It starts at 1 and grows by one with each array frame, heartbeats and other channels
included; event objects have none (page ws-general "Sequencing", frames captured in
2026). ACCOUNT_SEQ, beside it, belongs to the account, jumps and repeats: it says
nothing about what this connection missed. Where the flag was acknowledged and the first
frames come without a number all the same, they are read as if it had been refused.
"""

from balance_connector.venues.bitfinex.wire import HEARTBEAT, NOTICE, SEQ_ALL, Array
from balance_shared.errors import PictureNeeded, SequenceGap
from balance_shared.remembered import Remembered

_REMEMBERED_MAX = 1_000
_MAY_LACK_A_NUMBER = frozenset({HEARTBEAT, NOTICE})
"""Older clients show them without one; the next frame tells whether they had one."""


class Numbers:
    """The numbers of one connection.

    Attributes:
        flags: what the venue acknowledged; 0 until it did.
        last: number of the last frame taken in, None where there was none yet.
    """

    def __init__(self) -> None:
        self.flags = 0
        self.last: int | None = None
        self._lacking = False
        self._frames: Remembered[int, int] = Remembered(_REMEMBERED_MAX)

    @property
    def numbered(self) -> bool:
        """Whether frames have numbers, so that a lost one is seen."""
        return bool(self.flags & SEQ_ALL) and not self._lacking

    def repeats(self, array: Array, frame: bytes) -> bool:
        """Take in the number of a frame; whether the very same frame came before.

        The first number is taken as it comes.

        Raises:
            SequenceGap: frames are missing before this one, or it has no number.
            PictureNeeded: an old number came with other content.
        """
        number = array.sequence
        if not self.flags & SEQ_ALL:
            return False
        if number is None:
            self._miss(array.kind)
            return False
        self._lacking = False
        if self.last is not None and number <= self.last:
            if self._frames.get(number) == hash(frame):
                return True
            raise PictureNeeded(
                "sequence_reused",
                f"number {number} after {self.last} tells something new",
            )
        if self.last is not None and number > self.last + 1:
            raise SequenceGap(f"number {number} came where {self.last + 1} was due")
        self.last = number
        self._frames.remember(number, hash(frame))
        return False

    def _miss(self, kind: str) -> None:
        """Note a frame without a number; `SequenceGap` if one was due."""
        if kind in _MAY_LACK_A_NUMBER:
            return
        if self.last is not None:
            raise SequenceGap(f"a frame of type {kind!r} has no number")
        self._lacking = True
