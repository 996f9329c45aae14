"""Rules on figures are exact, at the limit and one digit beside it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from balance_alerting.conditions import Figures, condition_of, moved_by, occurrence
from balance_alerting.rules import (
    BalanceAbove,
    BalanceBelow,
    Drop,
    StaleFor,
    Withdrawal,
)
from balance_schemas.records import Movement

UNSCALED = st.integers(-(10**30), 10**30).map(lambda n: Decimal(n).scaleb(-18))


@given(balance=UNSCALED, limit=UNSCALED, active=st.booleans())
def test_below_and_above_are_each_others_mirror(balance, limit, active, make):
    """A figure at the limit breaks neither."""
    figures = Figures("BTC", balance, None, make.at(0))
    below = condition_of(BalanceBelow(name="a", type="balance_below", below=limit))
    above = condition_of(BalanceAbove(name="a", type="balance_above", above=limit))
    found = below(figures, active).broken, above(figures, active).broken
    assert (balance < limit, balance > limit) == found


@given(
    peak=st.integers(1, 10**36),
    balance=st.integers(0, 10**36),
    millionths=st.integers(1, 100 * 10**6),
)
def test_a_drop_in_percent_is_exact(peak, balance, millionths, make):
    """Compared as fractions: no quotient is rounded."""
    percent = Decimal(millionths) / 10**6
    rule = Drop(name="a", type="drop", window="60s", percent=percent)
    condition = condition_of(rule)
    for second, units in enumerate((peak, balance)):
        value = Decimal(units).scaleb(-18)
        found = condition(Figures("BTC", value, None, make.at(second)), False)
    fall = peak - balance
    assert (fall > 0 and fall * 100 * 10**6 >= millionths * peak) == found.broken


def test_rules_on_accounts_have_no_condition():
    """They are not judged by figures."""
    assert condition_of(StaleFor(name="a", type="stale_for", **{"for": "5s"})) is None


def test_each_venue_says_withdrawal_in_its_own_place(make):
    """By type, subtype, category, description or the run's type."""
    rule = Withdrawal(name="a", type="withdrawal")
    lines = [
        Movement(movement_id="", type="withdrawal", change=Decimal(-1)),
        Movement(movement_id="", subtype="withdrawal", change=Decimal(-1)),
        Movement(movement_id="", category="withdrawal", amount=Decimal(-1)),
        Movement(
            movement_id="",
            attributes={"description": "BTC Withdrawal #5"},
            change=Decimal(-1),
        ),
    ]
    told = [make.event(0, 5, movements=(line,)) for line in lines]
    run = Movement(movement_id="", type="final", change=Decimal(-1))
    told.append(
        make.event(0, 5, movements=(run,), attributes={"run_type": "withdrawal"})
    )
    found = [occurrence(rule, moved_by(event, None)) for event in told]
    assert [Decimal(1)] * 5 == [one.value for one in found]
