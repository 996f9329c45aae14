"""Transfers on their way: what left one account of ours and is not seen at another yet.

Pure; proof measures by it and alerting has a rule for it, so that both say the same.

Theory of operation. A *leg* is one ledger line by which money leaves an account for the
world outside (a withdrawal) or comes in from there (a deposit). A deposit belongs to a
withdrawal of the same coin from another account if both name the same transaction; or
else, if it came in the time in which transfers arrive and its amount is what left, or
less by no more than a fee. Legs are matched in the order of the venues' times, by
transaction first, oldest first, each once; so the order in which they were read does
not matter. What left and is not matched is in transit until the window is over: then it
is taken to have left the firm. Whether a withdrawal goes to an account of ours or to a
stranger's, the venues do not say: at first every one is in transit.

Not every feed names amounts: a Bitfinex ``wu`` tells a new balance, and its change is
the difference to the one told before. A withdrawal that is only asked for (Zero Hash:
``withdrawal_pending``) has not left yet; histories tell it by its run alone, so there
it counts from then on.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from balance_schemas.decimals import ZERO, AmountUnfitError, subtract
from balance_schemas.keys import account_key
from balance_schemas.records import BalanceEvent, Movement

WINDOW = timedelta(days=3)
"""How long a transfer may take."""

SKEW = timedelta(minutes=10)
"""How much earlier than the withdrawal a deposit may be told: clocks differ, and some
venues book a withdrawal when it is confirmed."""

FEE_PART_MAX = Decimal("0.02")
"""Most of what left that may be missing on arrival, as a part of it: network fees."""

REFERENCE_CHARS_MIN = 16
"""Shorter texts name no transaction."""

_REFERENCES = re.compile(
    r"tx_?id|tx_?hash|transaction_(id|hash)|on_?chain", re.IGNORECASE
)
_OUT = re.compile(r"\bwithdrawal\b", re.IGNORECASE)
_IN = re.compile(r"\bdeposit\b", re.IGNORECASE)
_NEITHER = re.compile(r"fee|cancel|pending|confirmed|reject", re.IGNORECASE)


class Leg(NamedTuple):
    """One end of a transfer.

    Attributes:
        at: the venue's time, UTC; of arrival where it tells none.
        event_id: of the event that told it.
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


class Transits:
    """The legs of the last days, and which of them are open.

    Args:
        window: how long a transfer may take.
    """

    def __init__(self, window: timedelta = WINDOW) -> None:
        self._window = window
        self._legs: dict[str, Leg] = {}
        self._balances: dict[str, Decimal] = {}
        self._latest: datetime | None = None

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
            self._latest = max(self._latest or leg.at, leg.at)
        if new:
            self._forget()
        return bool(new)

    def open(self, now: datetime) -> tuple[Leg, ...]:
        """Return the withdrawals that are in transit, the oldest first."""
        legs = self._legs.values()
        matched = {out.event_id for out, _ in pairs(legs, self._window)}
        since = now - self._window
        return tuple(
            leg
            for leg in sorted(legs)
            if leg.outgoing and leg.event_id not in matched and leg.at >= since
        )

    def _forget(self) -> None:
        """Forget legs that nothing can belong to any more."""
        if self._latest is None:
            return
        until = self._latest - 2 * self._window
        self._legs = {name: leg for name, leg in self._legs.items() if leg.at >= until}


def pairs(legs: Iterable[Leg], window: timedelta = WINDOW) -> Iterator[tuple[Leg, Leg]]:
    """Yield (withdrawal, deposit) of the transfers that have arrived.

    Args:
        legs: in any order.
        window: how long a transfer may take.
    """
    ordered = sorted(legs)
    outgoing = [leg for leg in ordered if leg.outgoing]
    incoming = [leg for leg in ordered if not leg.outgoing]
    for fits in (_names_the_same, _is_alike):
        for leg in list(incoming):
            found = next((out for out in outgoing if fits(out, leg, window)), None)
            if found is not None:
                outgoing.remove(found)
                incoming.remove(leg)
                yield found, leg


def _could_be(out: Leg, into: Leg, window: timedelta) -> bool:
    return (
        out.asset == into.asset
        and out.account != into.account
        and out.at - SKEW <= into.at <= out.at + window
    )


def _names_the_same(out: Leg, into: Leg, window: timedelta) -> bool:
    return bool(out.references & into.references) and _could_be(out, into, window)


def _is_alike(out: Leg, into: Leg, window: timedelta) -> bool:
    """Whether a deposit may be what a withdrawal left with, less a fee."""
    if out.references and into.references:
        return False  # both are named, and not alike
    least = out.amount - out.amount * FEE_PART_MAX  # rounded: fees are a guess
    return least <= into.amount <= out.amount and _could_be(out, into, window)


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
