"""When a figure breaks a rule: one small rule for each type. No I/O, no clock.

A condition is told each figure of one balance and whether there is an alert already:
it lasts until the clear level, where another would not begin. None means that the
figure says nothing about the rule, and that all stays as it was.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Context, Decimal, Inexact
from typing import NamedTuple

from balance_alerting.rules import (
    AvailableBelow,
    BalanceAbove,
    BalanceBelow,
    BaseRule,
    Drop,
    MovementAbove,
    Negative,
    UnexpectedAsset,
    Withdrawal,
)
from balance_alerting.selectors import matcher
from balance_alerting.window import Window
from balance_schemas.decimals import ZERO, add, plain, subtract
from balance_schemas.records import BalanceEvent, Movement

_WIDE = Context(prec=100, traps=[Inexact])
"""Products of two amounts are exact in it."""

_HUNDRED = Decimal(100)


class Figures(NamedTuple):
    """What one balance is.

    Attributes:
        asset: of the balance.
        balance: in units of the asset.
        available: free part in units of the asset; None if the venue has not said.
        at: since when.
        delta: by how much it changed then; None if the venue has not said.
    """

    asset: str
    balance: Decimal
    available: Decimal | None
    at: datetime
    delta: Decimal | None = None


class Finding(NamedTuple):
    """What a rule found.

    Attributes:
        broken: whether the rule is broken.
        value: figure that was judged, in units of the asset; None if there is none.
        limit: what it was held against, in units of the asset; None if there is none.
        note: what else there is to say.
    """

    broken: bool
    value: Decimal | None = None
    limit: Decimal | None = None
    note: str = ""


FINE = Finding(broken=False)
"""What most figures are: the rule is not broken, and there is no alert."""

Condition = Callable[[Figures, bool], Finding | None]
"""(figures, whether there is an alert already) → what is found."""


def condition_of(rule: BaseRule) -> Condition | None:
    """Return the condition of a rule on balances, for one balance; None for others."""
    match rule:
        case BalanceBelow():
            return _below(rule.below, rule.clear, _balance)
        case AvailableBelow():
            return _below(rule.below, rule.clear, _available)
        case BalanceAbove():
            return _above(rule.above, rule.clear)
        case Negative():
            return _below(ZERO, None, _balance)
        case UnexpectedAsset():
            return _unexpected(rule.expected)
        case Drop():
            return Dropped(rule)
    return None


def _balance(figures: Figures) -> Decimal | None:
    return figures.balance


def _available(figures: Figures) -> Decimal | None:
    return figures.available


def _below(
    limit: Decimal,
    clear: Decimal | None,
    figure_of: Callable[[Figures], Decimal | None],
) -> Condition:
    level = limit if clear is None else clear

    def judge(figures: Figures, active: bool) -> Finding | None:
        value = figure_of(figures)
        if value is None:
            return None
        if not active and value >= limit:
            return FINE
        return Finding(value < (level if active else limit), value, limit)

    return judge


def _above(limit: Decimal, clear: Decimal | None) -> Condition:
    level = limit if clear is None else clear

    def judge(figures: Figures, active: bool) -> Finding:
        value = figures.balance
        if not active and value <= limit:
            return FINE
        return Finding(value > (level if active else limit), value, limit)

    return judge


def _unexpected(expected: tuple[str, ...]) -> Condition:
    known = matcher(expected)

    def judge(figures: Figures, _active: bool) -> Finding:
        return Finding(
            bool(figures.balance) and not known(figures.asset), figures.balance
        )

    return judge


class Dropped:
    """How far a balance is below its peak within a window.

    Args:
        rule: with its window and limit.
    """

    def __init__(self, rule: Drop) -> None:
        self._rule = rule
        self._window = Window(rule.window)

    def __call__(self, figures: Figures, active: bool) -> Finding | None:
        """Take a new balance; before the first one it was what its change tells."""
        if figures.delta is not None and self._window.empty:
            self._window.push(subtract(figures.balance, figures.delta), figures.at)
        self._window.push(figures.balance, figures.at)
        return self.again(figures, active, figures.at)

    def again(self, figures: Figures, active: bool, now: datetime) -> Finding | None:
        """Judge the same balance at a later time: the peak may have left."""
        peak = self._window.peak(now)
        if peak is None:
            return None
        if not active and peak <= figures.balance:
            return FINE
        fall = subtract(peak, figures.balance)
        broken = self._too_far(fall, peak, active)
        if not (active or broken):
            return FINE
        note = f"from {plain(peak)} to {plain(figures.balance)}"
        return Finding(broken, fall, self._rule.amount, note)

    def next_change(self) -> datetime | None:
        """Return when the same balance has to be judged again."""
        return self._window.next_change()

    def _too_far(self, fall: Decimal, peak: Decimal, active: bool) -> bool:
        limit = self._rule.amount or self._rule.percent or ZERO
        if active and self._rule.clear is not None:
            limit = self._rule.clear
        if fall <= 0:
            return False
        if self._rule.amount is not None:
            return fall >= limit
        if peak <= 0:
            return False
        return _WIDE.multiply(fall, _HUNDRED) >= _WIDE.multiply(limit, peak)


class Moved(NamedTuple):
    """What an event moved; made once for all rules.

    Attributes:
        largest: of its movements, in or out.
        withdrawn: sum of its withdrawals; None if it has none.
        unknown: whether the size of some withdrawal is not told.
    """

    largest: Decimal
    withdrawn: Decimal | None
    unknown: bool


def moved_by(event: BalanceEvent, before: Decimal | None) -> Moved:
    """Return what an event moved.

    Args:
        event: an update, or what was learned late.
        before: the balance before it; None if unknown.
    """
    sizes = [abs(size) for size in map(_change, event.movements) if size is not None]
    if event.delta is not None:
        sizes.append(abs(event.delta))
    elif event.kind == "update" and before is not None and not sizes:
        sizes.append(abs(subtract(event.balance, before)))
    return Moved(max(sizes, default=ZERO), *_withdrawn(event))


def _withdrawn(event: BalanceEvent) -> tuple[Decimal | None, bool]:
    """Sum up the withdrawals of an event; what is given back is none."""
    changes = [_change(one) for one in event.movements if _is_withdrawal(one, event)]
    if len(event.movements) == 1 and changes == [None]:
        changes = [event.delta]
    gone = [-change for change in changes if change is not None and change < 0]
    unknown = None in changes
    if not gone and not unknown:
        return None, False
    total = ZERO
    for size in gone:
        total = add(total, size)
    return total, unknown


def occurrence(rule: BaseRule, moved: Moved) -> Finding | None:
    """Return what movements mean to a rule, or None if nothing.

    A withdrawal whose size is not told counts as larger than any limit.
    """
    if isinstance(rule, MovementAbove):
        if moved.largest > rule.above:
            return Finding(broken=True, value=moved.largest, limit=rule.above)
    elif isinstance(rule, Withdrawal) and moved.withdrawn is not None:
        if moved.withdrawn > rule.above:
            return Finding(broken=True, value=moved.withdrawn, limit=rule.above)
        if moved.unknown:
            return Finding(broken=True, limit=rule.above, note="amount not told")
    return None


def _change(movement: Movement) -> Decimal | None:
    return movement.amount if movement.change is None else movement.change


def _is_withdrawal(movement: Movement, event: BalanceEvent) -> bool:
    """Return whether a venue says so; each has a field of its own for it."""
    words = (
        movement.type,
        movement.subtype,
        movement.category,
        movement.attributes.get("description"),
        event.attributes.get("run_type"),
    )
    return any("withdraw" in word.lower() for word in words if word)
