"""A change that was not told when it happened, and the ledger lines that explain it.

A picture that differs from what is expected, and a ledger line whose figure is not the
one before it plus its change, open a question: the books moved by an amount that no
event accounts for. The venue's history answers it, later and out of order, with lines
of kind ``backfill``. Which of them lie within the stretch that was missed cannot be
told by their times alone: clocks differ, and a stretch is asked for with a margin. So a
question is answered by any unbroken run of lines, in the order of the venue's times,
that sums to the amount: lines before the run were known already, lines after it are
still to be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Line(NamedTuple):
    """One line of the venue's ledger that was told late.

    Attributes:
        at: the venue's time, UTC; of arrival where it tells none.
        event_id: names the fact.
        change: net change of the balance, in 10⁻¹⁸ of the asset.
    """

    at: datetime
    event_id: str
    change: int


@dataclass(slots=True)
class Question:
    """What has to be explained of one balance.

    Attributes:
        parts: arrival of each event that does not add up, and by how much: observed
            less expected, in 10⁻¹⁸ of the asset; oldest first.
        due_at: when an explanation is overdue.
    """

    parts: list[tuple[datetime, int]]
    due_at: datetime

    @property
    def amount(self) -> int:
        """What has to be explained in all.

        It may be 0, when a later picture takes back what an earlier figure claimed.
        """
        return sum(amount for _, amount in self.parts)

    def widen(self, at: datetime, amount: int, due_at: datetime) -> None:
        """Add what does not add up either; what is overdue stays so."""
        self.parts.append((at, amount))
        if at < self.due_at:
            self.due_at = max(self.due_at, due_at)

    def settle(self, through: datetime) -> bool:
        """Give up what is not newer than a time; return whether nothing is left."""
        self.parts = [part for part in self.parts if part[0] > through]
        return not self.parts


def explaining(lines: Sequence[Line], amount: int) -> slice | None:
    """Return the longest run of lines that sums to an amount; of several the last.

    Args:
        lines: in the order of their times.
        amount: in 10⁻¹⁸ of the asset.

    Returns:
        Where the run lies, an empty slice for 0 without lines, None if there is none.
    """
    first: dict[int, int] = {}
    best = slice(0, 0) if amount == 0 else None
    total = 0
    for end, change in enumerate([0, *(line.change for line in lines)]):
        total += change
        first.setdefault(total, end)
        start = first.get(total - amount)
        if start is not None and start < end:
            length = best.stop - best.start if best else 0
            best = slice(start, end) if end - start >= length else best
    return best
