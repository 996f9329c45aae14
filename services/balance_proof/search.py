"""Looks for the lines that explain a difference, while lines are told one by one.

Theory of operation. A line that is told is looked at once, however many were told
before, so that thousands of them take no longer than their number asks for. Nothing
that was there explained the difference: so what explains it now goes through the new
line. The lines before that place and the lines behind it are two stacks, each with the
sums of its lines counted from its far end; two sums, one of each, have to make up the
rest, and they are looked for from the side that has fewer. Lines come in the order of
their times, or in pages, the newest page first: then one side has no more than a page,
and the place where the stacks meet moves little. In any other order the verdicts are
the same, and the time grows faster than the number of lines.
"""

from collections.abc import Sequence

from balance_proof.question import Line, explaining


class _Side:
    """A stack of lines.

    Attributes:
        lines: the far one first.
        sums: of the first so many lines.
        first: sum → the fewest lines that make it.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.sums = [0]
        self.first = {0: 0}

    def push(self, line: Line) -> None:
        self.lines.append(line)
        self.sums.append(self.sums[-1] + line.change)
        self.first.setdefault(self.sums[-1], len(self.lines))

    def pop(self) -> Line:
        total = self.sums.pop()
        if self.first[total] == len(self.lines):
            del self.first[total]
        return self.lines.pop()


class Search:
    """Looks for the run of lines that sums to an amount; see `question.explaining`.

    Args:
        keys: of the balances whose lines these are.
        lines: that are known already, in the order of their times.
        amount: in 10⁻¹⁸ of the asset.

    Attributes:
        keys: as given.
        amount: as given.
        found: the run, in the order of its times; None as long as there is none. Once
            there is one, no line may come or go.
    """

    def __init__(self, keys: Sequence[str], lines: Sequence[Line], amount: int) -> None:
        self.keys = keys
        self.amount = amount
        run = explaining(lines, amount)
        self.found = None if run is None else list(lines[run])
        self._before, self._behind = _Side(), _Side()
        for line in lines if run is None else ():
            self._before.push(line)

    def add(self, line: Line) -> None:
        """Take one more line."""
        self._go_to(line)
        self._look([line])
        self._before.push(line)

    def remove(self, line: Line) -> None:
        """Leave out a line: those beside it are neighbours then."""
        self._go_to(line)
        self._before.pop()
        self._look([])

    def _go_to(self, line: Line) -> None:
        """Let the stacks meet right behind a line's place."""
        before, behind = self._before, self._behind
        while before.lines and before.lines[-1] > line:
            behind.push(before.pop())
        while behind.lines and behind.lines[-1] <= line:
            before.push(behind.pop())

    def _look(self, between: list[Line]) -> None:
        """Look for the longest run, of several the last, over where the stacks meet."""
        before, behind = self._before, self._behind
        outside = before.sums[-1] + behind.sums[-1] - self.amount
        outside += sum(line.change for line in between)
        if len(before.first) < len(behind.first):
            ends = [
                (first, behind.first[outside - total])
                for total, first in before.first.items()
                if outside - total in behind.first
            ]
        else:
            ends = [
                (before.first[outside - total], last)
                for total, last in behind.first.items()
                if outside - total in before.first
            ]
        if ends:
            first, last = min(ends, key=lambda end: (sum(end), end[1]))
            behind_them = reversed(behind.lines[last:])
            self.found = [*before.lines[first:], *between, *behind_them]
