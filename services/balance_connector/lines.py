"""The order of a history's lines, which of one instant is not told by their times.

Venues list the newest first, page by page. Theory of operation: two lines of one
balance follow one another where the second starts from what the first led to. Lines of
one time are put in an order in which each does (a path through all balances that they
start from and lead to); where their figures give none, the venue's order holds.
"""

from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby, pairwise

from balance_connector.books import Observed, Pocket
from balance_schemas.decimals import AmountUnfitError, subtract

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Lines:
    """Puts the lines of one stretch in order; the pages come as the venue lists them.

    A page may end amid the lines of one time: these wait for the next one.
    """

    def __init__(self) -> None:
        self._held: list[Observed] = []

    def page(self, listed: Sequence[Observed], *, last: bool) -> list[Observed]:
        """Return the lines that are complete, oldest first.

        Args:
            listed: the lines of the next page, in its order.
            last: whether no page follows.
        """
        lines = [*self._held, *listed]
        open_since = None if last or not lines else _time(lines[-1])
        self._held = [line for line in lines if _time(line) == open_since]
        return oldest_first([line for line in lines if _time(line) != open_since])


def oldest_first(listed: Sequence[Observed]) -> list[Observed]:
    """Return lines, listed newest first, in the order in which they happened."""
    turned = listed[::-1]
    ordered = sorted(turned, key=_time)
    return [
        line
        for _, group in groupby(ordered, key=_time)
        for line in _of_one_time(list(group))
    ]


def _of_one_time(lines: list[Observed]) -> list[Observed]:
    """Return lines of one time, those of each balance one after the other."""
    if len(lines) == 1:
        return lines
    of_pocket: dict[Pocket, list[Observed]] = {}
    for line in lines:
        of_pocket.setdefault(line.pocket, []).append(line)
    chains = {pocket: iter(_chained(those)) for pocket, those in of_pocket.items()}
    return [next(chains[line.pocket]) for line in lines]


def _chained(lines: list[Observed]) -> list[Observed]:
    """Return lines of one balance so that each starts from what the last led to.

    They stay as they are where that cannot be. Source: Hierholzer's algorithm.
    """
    starts = [_start(line) for line in lines]
    onward: dict[Decimal | None, deque[Observed]] = {}
    for start, line in zip(starts, lines, strict=True):
        onward.setdefault(start, deque()).append(line)
    firsts = Counter(starts) - Counter(line.balance for line in lines)
    walk: list[Observed] = []
    chain: list[Observed] = []
    first = next(iter(firsts), starts[0])
    while True:
        balance = walk[-1].balance if walk else first
        if onward.get(balance):
            walk.append(onward[balance].popleft())
        elif walk:
            chain.append(walk.pop())
        else:
            break
    chain.reverse()
    return chain if _follows(chain) and len(chain) == len(lines) else lines


def _follows(chain: list[Observed]) -> bool:
    """Whether each line starts from what the one before it led to."""
    return all(_start(line) == before.balance for before, line in pairwise(chain))


def _start(line: Observed) -> Decimal | None:
    """Return the balance before a line, None where it is not known."""
    try:
        return None if line.delta is None else subtract(line.balance, line.delta)
    except AmountUnfitError:
        return None


def _time(line: Observed) -> datetime:
    return line.venue_time or _BEGINNING
