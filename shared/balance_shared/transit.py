"""Transfers on their way: what left one account of ours and is not seen at another yet.

Pure; proof measures by it and alerting has a rule for it, so that both say the same.

Theory of operation. A *leg* is one ledger line by which money leaves an account for the
world outside (a withdrawal) or comes in from there (a deposit). A deposit belongs to a
withdrawal of the same coin from another account if both name the same transaction; or
else, if it came in the time in which transfers arrive and its amount is what left, or
less by no more than a fee. Legs are matched in the order of the venues' times, by
transaction first, oldest first, each once (`matching`); so the order in which they were
read does not matter. What left and is not matched is in transit until the window is
over: then it is taken to have left the firm. Whether a withdrawal goes to an account of
ours or to a stranger's, the venues do not say: at first every one is in transit.

Not every feed names amounts: a Bitfinex ``wu`` tells a new balance, and its change is
the difference to the one told before. A withdrawal that is only asked for (Zero Hash:
``withdrawal_pending``) has not left yet; histories tell it by its run alone, so there
it counts from then on.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from operator import attrgetter

from balance_schemas.decimals import ZERO, AmountUnfitError, subtract
from balance_schemas.keys import account_key
from balance_schemas.records import BalanceEvent, Movement
from balance_shared.matching import WINDOW, Leg, Matching

REFERENCE_CHARS_MIN = 16
"""Shorter texts name no transaction."""

_REFERENCES = re.compile(
    r"tx_?id|tx_?hash|transaction_(id|hash)|on_?chain", re.IGNORECASE
)
_OUT = re.compile(r"\bwithdrawal\b", re.IGNORECASE)
_IN = re.compile(r"\bdeposit\b", re.IGNORECASE)
_NEITHER = re.compile(r"fee|cancel|pending|confirmed|reject", re.IGNORECASE)

_time = attrgetter("at")


class Transits:
    """The legs of the last days, and which of them are open.

    A pair is forgotten as soon as one of its legs is; so what was matched with a leg of
    long ago does not become free for another.

    Args:
        window: how long a transfer may take.
    """

    def __init__(self, window: timedelta = WINDOW) -> None:
        self._window = window
        self._legs: dict[str, Leg] = {}
        self._new: list[Leg] = []  # of them, what `_settle` has not seen
        self._old: list[tuple[datetime, str]] = []  # the others, by time: a heap
        self._matchings: dict[str, Matching] = {}  # by asset
        self._open: dict[str, list[Leg]] = {}  # by balance key, in their order
        self._balances: dict[str, Decimal] = {}
        self._until = datetime.min.replace(tzinfo=UTC)  # what is older, is forgotten

    def take(self, event: BalanceEvent) -> bool:
        """Take a record of the events topic; return whether it told a leg.

        The events of one account come in the order of the topic; those of different
        accounts may come in any.
        """
        key = event.key
        before = self._balances.get(key)
        if event.kind != "backfill":
            self._balances[key] = event.balance
        new = [leg for leg in legs_of(event, before) if leg.event_id not in self._legs]
        for leg in new:
            self._legs[leg.event_id] = leg
        self._new += new
        return bool(new)

    def open(self, now: datetime) -> tuple[Leg, ...]:
        """Return the withdrawals that are in transit, the oldest first."""
        self._settle()
        found: list[Leg] = []
        for legs in self._open.values():
            found += legs[bisect_left(legs, now - self._window, key=_time) :]
        return tuple(sorted(found))

    def oldest(self, now: datetime, left_by: datetime) -> list[tuple[Leg, int]]:
        """Return of each balance what is in transit and had left by a time.

        Returns:
            The oldest withdrawal of each, and how many there are; the oldest first.
        """
        self._settle()
        found = []
        for legs in self._open.values():
            start = bisect_left(legs, now - self._window, key=_time)
            end = bisect_right(legs, left_by, key=_time)
            if start < end:
                found.append((legs[start], end - start))
        return sorted(found)

    def _settle(self) -> None:
        """Match what was told since the last time."""
        if not self._new:
            return
        new, self._new = sorted(self._new), []
        touched = {}
        for leg in new:
            heappush(self._old, (leg.at, leg.event_id))
            if leg.asset not in self._matchings:
                self._matchings[leg.asset] = Matching(self._window)
            touched[leg.asset] = self._matchings[leg.asset]
            if leg.at >= self._until:
                self._matchings[leg.asset].add(leg)
        for matching in touched.values():
            for leg in matching.settle():
                self._sort(leg, in_transit=matching.partner(leg) is None)
        self._until = max(self._until, new[-1].at - 2 * self._window)
        self._forget()

    def _forget(self) -> None:
        """Forget legs that nothing can belong to any more."""
        while self._old[0][0] < self._until:
            leg = self._legs.pop(heappop(self._old)[1])
            self._matchings[leg.asset].forget(leg)
            self._sort(leg, in_transit=False)

    def _sort(self, leg: Leg, *, in_transit: bool) -> None:
        """Keep a withdrawal among the open ones, or not."""
        if not leg.outgoing:
            return
        legs = self._open.setdefault(leg.key, [])
        place = bisect_left(legs, leg)
        known = place < len(legs) and legs[place] == leg
        if in_transit and not known:
            legs.insert(place, leg)
        elif known and not in_transit:
            del legs[place]
        if not legs:
            del self._open[leg.key]


def legs_of(event: BalanceEvent, before: Decimal | None) -> Iterator[Leg]:
    """Yield the legs that an event tells of, which are seldom more than one.

    Args:
        event: any.
        before: the balance that was told before it, None where it is not known.
    """
    if event.kind not in {"update", "backfill"} or event.nature != "asset":
        return
    for number, movement in enumerate(event.movements or _unnamed(event)):
        outgoing = _direction(movement)
        if outgoing is None:
            continue
        amount = _amount(movement, event, before)
        if amount is None or (amount < ZERO) is not outgoing:
            continue
        name = f"{event.event_id}#{number}" if number else event.event_id
        yield Leg(
            event.venue_time or event.received_at,
            name,
            event.key,
            account_key(event.venue, event.account),
            event.attributes.get("base_asset", event.asset),
            amount.copy_abs(),
            outgoing,
            _references(movement),
        )


def _unnamed(event: BalanceEvent) -> tuple[Movement, ...]:
    """Return a line for a run of which only its type is told (Zero Hash's history)."""
    run_type = event.attributes.get("run_type", "")
    if event.wallet != "spot" or not run_type:
        return ()
    return (Movement(movement_id="", type=run_type, change=event.delta),)


def _direction(movement: Movement) -> bool | None:
    """Return True for a withdrawal, False for a deposit, None for any other line."""
    for text in (movement.type, movement.attributes.get("description", "")):
        words = text.replace("_", " ")
        if _NEITHER.search(words):
            return None
        if _OUT.search(words):
            return True
        if _IN.search(words):
            return False
    return None


def _amount(
    movement: Movement, event: BalanceEvent, before: Decimal | None
) -> Decimal | None:
    """Return what moved, signed; None where nothing tells it."""
    for told in (movement.amount, movement.change, event.delta):
        if told is not None:
            return told
    if before is None:
        return None
    try:
        return subtract(event.balance, before)
    except AmountUnfitError:
        return None


def _references(movement: Movement) -> frozenset[str]:
    found = [
        text.strip().lower()
        for name, text in movement.attributes.items()
        if _REFERENCES.search(name)
    ]
    return frozenset(text for text in found if len(text) >= REFERENCE_CHARS_MIN)
