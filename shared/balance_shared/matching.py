"""Which deposit belongs to which withdrawal, kept up to date as legs are told.

Pure; what legs are, and how long they matter, `transit` says.

Theory of operation. `pairs` says what is meant: each deposit in its turn, the oldest
first, takes the oldest withdrawal that is left and fits, by transaction in a first
pass, by amount in a second. Only legs of one coin can fit, so each coin has a
`Matching` of its own, with two passes.

A `_Pass` has decided the first of its deposits and not the rest. A leg that comes last
changes nothing that is decided, but that a deposit which waits may take it. A leg that
comes late undoes what is decided from where it matters on, and that is decided again.
What is left, withdrawals and waiting deposits, lies on a `_Shelf` each. There the
oldest leg in a range of amounts is found without looking at the others: blocks of legs
sorted by amount, of doubling sizes, each with a tree of which leg is the oldest.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

WINDOW = timedelta(days=3)
"""How long a transfer may take."""

SKEW = timedelta(minutes=10)
"""How much earlier than the withdrawal a deposit may be told: clocks differ, and some
venues book a withdrawal when it is confirmed."""

FEE_PART_MAX = Decimal("0.02")
"""Most of what left that may be missing on arrival, as a part of it: network fees."""

_EMPTY_MAX = 16
"""How many places a small forest may keep of legs that are gone."""


class Leg(NamedTuple):
    """One end of a transfer.

    Attributes:
        at: the venue's time, UTC; of arrival where it tells none.
        event_id: of the event that told it; of one leg only.
        key: its balance key.
        account: its account key.
        asset: the coin, without its chain.
        amount: what moved, positive, in units of the asset; of a withdrawal without the
            fee that the venue names apart.
        outgoing: whether it left the account.
        references: what names the transaction, if anything does.
    """

    at: datetime
    event_id: str
    key: str
    account: str
    asset: str
    amount: Decimal
    outgoing: bool
    references: frozenset[str] = frozenset()


_NONE = Leg(datetime.max.replace(tzinfo=UTC), "", "", "", "", Decimal(0), outgoing=True)
"""Stands for no leg, younger than any."""

_time = attrgetter("at")
_amount = attrgetter("amount")


def pairs(legs: Iterable[Leg], window: timedelta = WINDOW) -> Iterator[tuple[Leg, Leg]]:
    """Yield (withdrawal, deposit) of the transfers that have arrived.

    A deposit belongs to a withdrawal of the same coin from another account, if it came
    in the time in which transfers arrive, and both name the same transaction; or else,
    if one of them names none, and its amount is what left, or less by no more than a
    fee. Those of a transaction go first.

    Args:
        legs: in any order.
        window: how long a transfer may take.
    """
    matchings: dict[str, Matching] = {}
    for leg in sorted(legs):
        matchings.setdefault(leg.asset, Matching(window)).add(leg)
    for one in matchings.values():
        one.settle()
    for found in zip(*(one.passes() for one in matchings.values()), strict=True):
        yield from sorted((pair for some in found for pair in some), key=_arrival)


def _arrival(pair: tuple[Leg, Leg]) -> Leg:
    return pair[1]


class Matching:
    """The pairs among the legs of one coin.

    Args:
        window: how long a transfer may take.
    """

    def __init__(self, window: timedelta) -> None:
        self._named = _Pass(window, by_name=True)
        self._alike = _Pass(window, by_name=False)

    def add(self, leg: Leg) -> None:
        """Take a leg; many are best taken in their order."""
        (self._named if leg.references else self._alike).add(leg)

    def settle(self) -> Iterable[Leg]:
        """Match what was added; return the legs of which it may say something new."""
        named = self._named.settle()
        for leg in sorted(named.values()):
            if self._named.partner(leg) is None:
                self._alike.add(leg)
            else:
                self._alike.remove(leg)
        return (named | self._alike.settle()).values()

    def partner(self, leg: Leg) -> Leg | None:
        """Return what a leg belongs to, as of the last `settle`."""
        return self._named.partner(leg) or self._alike.partner(leg)

    def forget(self, leg: Leg) -> None:
        """Forget a leg of long ago, and its partner; other pairs stay as they are."""
        for one in (leg, self.partner(leg)):
            if one is not None:
                self._named.forget(one)
                self._alike.forget(one)

    def passes(self) -> tuple[list[tuple[Leg, Leg]], list[tuple[Leg, Leg]]]:
        """Return the pairs by transaction, and those by amount."""
        return list(self._named.pairs()), list(self._alike.pairs())


class _Pass:
    """Lets each deposit take the oldest withdrawal that fits, by one way of fitting.

    Args:
        window: how long a transfer may take.
        by_name: whether legs fit by transaction; or else by amount.
    """

    def __init__(self, window: timedelta, *, by_name: bool) -> None:
        self._window = window
        self._legs: dict[str, Leg] = {}
        self._incoming: list[Leg] = []  # in their order
        self._decided = 0  # how many of them are
        self._partners: dict[str, Leg] = {}
        self._expired: dict[str, list[Leg]] = {}  # what a deposit found too old
        self._left = _Shelf(by_name=by_name)  # withdrawals
        self._waiting = _Shelf(by_name=by_name)  # deposits that found nothing
        self._youngest: Leg | None = None  # of all withdrawals
        self._touched: dict[str, Leg] = {}

    def partner(self, leg: Leg) -> Leg | None:
        return self._partners.get(leg.event_id)

    def pairs(self) -> Iterator[tuple[Leg, Leg]]:
        for into in self._incoming:
            out = self.partner(into)
            if out is not None:
                yield out, into

    def settle(self) -> dict[str, Leg]:
        """Decide on all deposits; return what was touched since the last time."""
        for into in self._incoming[self._decided :]:
            self._decide(into)
        self._decided = len(self._incoming)
        touched, self._touched = self._touched, {}
        return touched

    def add(self, leg: Leg) -> None:
        """Take a leg, if it is not known."""
        if leg.event_id in self._legs:
            return
        self._legs[leg.event_id] = self._touched[leg.event_id] = leg
        if not leg.outgoing:
            place = bisect_left(self._incoming, leg)
            self._undo(place)
            self._incoming.insert(place, leg)
        elif self._youngest is None or self._youngest < leg:
            self._youngest = leg
            self._offer(leg)
        else:
            self._undo(bisect_left(self._incoming, leg.at - SKEW, key=_time))
            self._left.add(leg)

    def remove(self, leg: Leg) -> None:
        """Let go of a leg, if it is known, as if it had never been told."""
        if leg.event_id in self._legs:
            into = self.partner(leg) if leg.outgoing else leg
            if into is not None:
                self._undo(bisect_left(self._incoming, into))
            self._drop(leg)

    def forget(self, leg: Leg) -> None:
        """Let go of a leg, if it is known; what is decided stays."""
        if leg.event_id in self._legs:
            self._drop(leg)

    def _drop(self, leg: Leg) -> None:
        del self._legs[leg.event_id]
        self._part(leg)
        del self._touched[leg.event_id]
        if leg.outgoing:
            self._left.remove(leg)
            return
        self._waiting.remove(leg)
        self._expired.pop(leg.event_id, None)
        place = bisect_left(self._incoming, leg)
        del self._incoming[place]
        self._decided -= place < self._decided

    def _decide(self, into: Leg) -> None:
        """Let a deposit take a withdrawal; all before it have taken theirs."""
        expired = []
        out = self._left.oldest(into)
        while out is not None and out.at < into.at - self._window:
            self._left.remove(out)  # deposits to come are younger still
            expired.append(out)
            out = self._left.oldest(into)
        if expired:
            self._expired[into.event_id] = expired
        if out is None or into.at < out.at - SKEW:
            self._waiting.add(into)
        else:
            self._left.remove(out)
            self._join(out, into)

    def _offer(self, out: Leg) -> None:
        """Give the youngest withdrawal to a deposit that waits for it, if one does.

        All others have better ones, so nothing else changes.
        """
        into = self._waiting.oldest(out)
        while into is not None and into.at < out.at - SKEW:
            self._waiting.remove(into)  # withdrawals to come are younger still
            into = self._waiting.oldest(out)
        if into is None or out.at < into.at - self._window:
            self._left.add(out)
        else:
            self._waiting.remove(into)
            self._join(out, into)

    def _undo(self, place: int) -> None:
        """Take back what is decided on deposits from a place on."""
        for into in self._incoming[place : self._decided]:
            self._waiting.remove(into)
            again = self._expired.pop(into.event_id, [])
            out = self._part(into)
            for one in again if out is None else (*again, out):
                if one.event_id in self._legs:
                    self._left.add(one)
        self._decided = min(self._decided, place)

    def _join(self, out: Leg, into: Leg) -> None:
        for one, other in ((out, into), (into, out)):
            self._partners[one.event_id] = other
            self._touched[one.event_id] = one

    def _part(self, leg: Leg) -> Leg | None:
        other = self._partners.pop(leg.event_id, None)
        self._touched[leg.event_id] = leg
        if other is not None:
            del self._partners[other.event_id]
            self._touched[other.event_id] = other
        return other


class _Shelf:
    """Legs of one direction, to find the oldest that may belong to one of the other.

    Args:
        by_name: whether legs fit by transaction; or else by amount.
    """

    def __init__(self, *, by_name: bool) -> None:
        self._by_name = by_name
        self._legs: set[str] = set()
        self._forests: dict[Hashable, dict[str, _Forest]] = {}

    def add(self, leg: Leg) -> None:
        """Lay a leg here, if it does not lie here."""
        if leg.event_id not in self._legs:
            self._legs.add(leg.event_id)
            for name in self._names(leg):
                accounts = self._forests.setdefault(name, {})
                accounts.setdefault(leg.account, _Forest()).add(leg)

    def remove(self, leg: Leg) -> None:
        """Take a leg away, if it lies here."""
        if leg.event_id in self._legs:
            self._legs.remove(leg.event_id)
            for name in self._names(leg):
                accounts = self._forests[name]
                if not accounts[leg.account].remove(leg):
                    del accounts[leg.account]
                if not accounts:
                    del self._forests[name]

    def oldest(self, leg: Leg) -> Leg | None:
        """Return the oldest of other accounts that fits a leg, whatever its time."""
        oldest = _NONE
        for name in self._sought(leg):
            for account, forest in self._forests.get(name, {}).items():
                if account != leg.account:
                    found = forest.oldest(None if self._by_name else leg)
                    oldest = min(oldest, found)
        return None if oldest is _NONE else oldest

    def _names(self, leg: Leg) -> Iterable[Hashable]:
        return leg.references if self._by_name else (bool(leg.references),)

    def _sought(self, leg: Leg) -> Iterable[Hashable]:
        if self._by_name:
            return leg.references
        return (False,) if leg.references else (False, True)  # both named: not alike


class _Forest:
    """Legs by amount; the cost of each step grows with the logarithm of their number.

    A leg that is gone keeps its place, as it may come back, until over half are gone.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._places: dict[str, tuple[_Block, int]] = {}
        self._count = 0

    def add(self, leg: Leg) -> None:
        """Take a leg that is not here."""
        self._count += 1
        if leg.event_id in self._places:
            block, place = self._places[leg.event_id]
            block.put(place, leg)
        else:
            self._grow([leg], lambda block, size: len(block.legs) <= size)

    def remove(self, leg: Leg) -> int:
        """Let go of a leg that is here; return how many are left."""
        self._count -= 1
        block, place = self._places[leg.event_id]
        block.put(place, _NONE)
        if len(self._places) > 2 * self._count + _EMPTY_MAX:
            self._grow([], lambda _block, _size: True)
        return self._count

    def oldest(self, fits: Leg | None) -> Leg:
        """Return the oldest whose amount fits a leg, or of all."""
        oldest = _NONE
        for block in self._blocks:
            if fits is None:
                found = block.first(0, len(block.legs))
            else:
                found = self._alike(block, fits)
            oldest = min(oldest, found)
        return oldest

    def _alike(self, block: "_Block", leg: Leg) -> Leg:
        oldest, spans = _NONE, [block.span(leg)]
        while spans:
            start, end = spans.pop()
            found = block.first(start, end)
            if _least(found) <= leg.amount:
                oldest = min(oldest, found)
            else:  # only among figures so long that a fee's part of them is rounded
                _, place = self._places[found.event_id]
                spans += [(start, place), (place + 1, end)]
        return oldest

    def _grow(self, legs: list[Leg], joins: Callable[["_Block", int], bool]) -> None:
        """Make a block of legs and the last blocks, while they are to join it."""
        while self._blocks and joins(self._blocks[-1], len(legs)):
            block = self._blocks.pop()
            for place, leg in enumerate(block.legs):
                if block.has(place):
                    legs.append(leg)
                else:
                    del self._places[leg.event_id]
        if legs:
            grown = _Block(sorted(legs, key=_amount))
            self._blocks.append(grown)
            for place, leg in enumerate(grown.legs):
                self._places[leg.event_id] = grown, place


class _Block:
    """Legs in the order of their amounts, and a tree of the oldest of each part.

    Args:
        legs: in the order of their amounts; at least one.
    """

    def __init__(self, legs: list[Leg]) -> None:
        self.legs = legs
        self._amounts = [leg.amount for leg in legs]
        least = accumulate((_least(leg) for leg in reversed(legs)), min)
        self._least = list(least)[::-1]  # of each leg and all after it
        self._tree = [_NONE] * len(legs) + legs  # two children: at twice the place
        for place in range(len(legs) - 1, 0, -1):
            self._tree[place] = min(self._tree[2 * place : 2 * place + 2])

    def has(self, place: int) -> bool:
        """Return whether the leg of a place is there."""
        return self._tree[place + len(self.legs)] is not _NONE

    def put(self, place: int, leg: Leg) -> None:
        """Put the leg of a place there, or none."""
        place += len(self.legs)
        self._tree[place] = leg
        while place > 1:
            place //= 2
            self._tree[place] = min(self._tree[2 * place : 2 * place + 2])

    def span(self, leg: Leg) -> tuple[int, int]:
        """Return from where to where legs may be that a leg's amount fits."""
        return (
            bisect_left(self._amounts, _least(leg)),
            bisect_right(self._least, leg.amount),
        )

    def first(self, start: int, end: int) -> Leg:
        """Return the oldest from a place up to before another."""
        start, end, oldest = start + len(self.legs), end + len(self.legs), _NONE
        while start < end:
            if start % 2:
                oldest = min(oldest, self._tree[start])
                start += 1
            if end % 2:
                end -= 1
                oldest = min(oldest, self._tree[end])
            start, end = start // 2, end // 2
        return oldest


def _least(leg: Leg) -> Decimal:
    """Return the least amount that may arrive of a leg: of a deposit, its own."""
    if not leg.outgoing:
        return leg.amount
    return leg.amount - leg.amount * FEE_PART_MAX  # rounded: fees are a guess
