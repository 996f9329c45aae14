"""Withdrawals and deposits find each other, whatever order they are told in."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_shared.matching import FEE_PART_MAX, SKEW, WINDOW, Leg, Matching, pairs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HASH = "0x5349da4804673b757ff2e341810d2e304bcb6b22"


def leg(account="kraken|main", hours=0.0, amount="1", **fields: Any) -> Leg:
    """Return a withdrawal of one ETH at noon."""
    name = fields.pop("name", f"{account} {hours} {amount}")
    defaults = {"key": f"{account}|key", "asset": "ETH", "outgoing": True}
    at = NOON + hours * HOUR
    return Leg(
        at=at,
        event_id=name,
        account=account,
        amount=Decimal(amount),
        **(defaults | fields),
    )


def arrival(hours=1.0, amount="1", **fields: Any) -> Leg:
    """Return a deposit at another venue an hour later."""
    return leg("ndax|main", hours, amount, outgoing=False, **fields)


@pytest.mark.parametrize(
    ("out", "into"),
    [
        (leg(), arrival()),
        (leg(), arrival(amount="0.98")),
        (leg(), arrival(hours=-0.1)),
        (leg(), arrival(hours=72)),
        (
            leg(references=frozenset({HASH})),
            arrival(amount="0.5", references=frozenset({HASH})),
        ),
    ],
)
def test_deposit_belongs_to_the_withdrawal(out, into):
    """The same amount, or less a fee, in time; or the same transaction, whatever left."""
    assert [(out, into)] == list(pairs([into, out]))


@pytest.mark.parametrize(
    "into",
    [
        arrival(amount="0.97"),
        arrival(amount="1.00000001"),
        arrival(hours=-1),
        arrival(hours=73),
        arrival(asset="BTC"),
        arrival()._replace(account="kraken|main"),
    ],
)
def test_what_does_not_fit_is_no_arrival(into):
    """Another amount, time, coin, or the account itself."""
    assert [] == list(pairs([leg(), into]))


def test_named_transactions_are_never_mixed_up():
    """Two that are named, and not alike, do not belong together."""
    out, into = leg(references=frozenset({HASH})), arrival(references=frozenset({"x"}))
    assert [] == list(pairs([out, into]))


def test_transaction_goes_before_amount():
    """A named pair is found although an older withdrawal would fit the deposit."""
    older = leg("bitfinex|main", -1)
    out = leg(references=frozenset({HASH}))
    into = arrival(references=frozenset({HASH}))
    assert [(out, into)] == list(pairs([older, out, into]))


legs = st.lists(
    st.builds(
        leg,
        st.sampled_from(["kraken|main", "ndax|main", "bitfinex|a"]),
        st.sampled_from([0.0, 1.0, 2.0, 80.0]),
        st.sampled_from(["1", "0.99", "5"]),
        outgoing=st.booleans(),
        name=st.integers(0, 99).map(str),
    ),
    max_size=9,
    unique_by=lambda one: one.event_id,
)


@given(legs, st.randoms())
def test_order_of_reading_does_not_matter(told, rng):
    """Any order of the same legs gives the same pairs, and each leg is in one at most."""
    shuffled = list(told)
    rng.shuffle(shuffled)
    found = set(pairs(told))
    assert found == set(pairs(shuffled))
    names = [one.event_id for pair in found for one in pair]
    assert len(names) == len(set(names))


def meant(told):
    """Return the pairs as the rules have it, by looking at all, again and again."""
    outgoing = sorted(one for one in told if one.outgoing)
    found = []
    for fits in (names_the_same, is_alike):
        for into in sorted(one for one in told if not one.outgoing):
            if all(into is not other for _, other in found):
                out = next((one for one in outgoing if fits(one, into)), None)
                if out is not None:
                    outgoing.remove(out)
                    found.append((out, into))
    return found


def could_be(out, into):
    """Whether coin, accounts and times allow it."""
    in_time = out.at - SKEW <= into.at <= out.at + WINDOW
    return out.asset == into.asset and out.account != into.account and in_time


def names_the_same(out, into):
    """Whether both name one transaction."""
    return bool(out.references & into.references) and could_be(out, into)


def is_alike(out, into):
    """Whether it is what left, or less by no more than a fee."""
    if out.references and into.references:
        return False
    least = out.amount - out.amount * FEE_PART_MAX
    return least <= into.amount <= out.amount and could_be(out, into)


LONG = Decimal("50000000000000000000.000000475")
"""A fee's part of it is rounded up, that of `LESS` down; so less of it may arrive."""

LESS = Decimal("50000000000000000000.000000474999999999")

many_legs = st.lists(
    st.builds(
        leg,
        st.sampled_from(["kraken|main", "ndax|main", "bitfinex|a"]),
        st.sampled_from([0.0, 0.1, 0.2, 1.0, 2.0, 2.1, 70.0, 72.1, 100.0]),
        st.sampled_from(["1", "1.0", "0.985", "0.98", "1.005", "1.02", "5"])
        | st.integers(9500, 10500).map(lambda number: f"{number}e-4"),
        outgoing=st.booleans(),
        asset=st.sampled_from(["ETH", "ETH", "ETH", "BTC"]),
        references=st.frozensets(st.sampled_from("abc"), max_size=2)
        | st.just(frozenset()),
        name=st.integers(0, 999).map(str),
    ),
    max_size=40,
    unique_by=lambda one: one.event_id,
)


@given(many_legs)
def test_pairs_are_those_that_are_meant(told):
    """Equal times and amounts, several accounts, coins and names: always the same."""
    assert meant(told) == list(pairs(told))


@given(many_legs, st.data())
def test_legs_told_one_by_one_find_the_same(told, data):
    """Whenever it is settled, it is as if all had been told at once."""
    told = [one for one in told if one.asset == "ETH"]
    matching, known, open_ = Matching(WINDOW), [], set()
    for one in told:
        matching.add(one)
        known.append(one)
        if data.draw(st.booleans()):
            touched = matching.settle()
            expected = meant(known)
            assert expected == list(itertools.chain(*matching.passes()))
            for other in touched:
                open_.discard(other)
                open_ |= {other} if matching.partner(other) is None else set()
            assert set(known) - set(itertools.chain(*expected)) == open_


@pytest.mark.parametrize("amounts", [[LONG, LESS], [LESS, LONG]])
def test_figures_too_long_for_the_fee_are_judged_by_themselves(amounts):
    """More may have left, and yet less arrive."""
    outs = [leg(hours=place, amount=one) for place, one in enumerate(amounts)]
    least = {one.amount: one.amount - one.amount * FEE_PART_MAX for one in outs}
    assert least[LONG] < least[LESS]
    into = arrival(2, least[LONG])
    assert [(out, into) for out in outs if out.amount == LONG] == meant([*outs, into])
    assert meant([*outs, into]) == list(pairs([*outs, into]))


@given(many_legs)
def test_forgotten_legs_leave_the_other_pairs_as_they_are(told):
    """A pair goes as a whole; the rest, and what is told later, stays right."""
    told = sorted(one for one in told if one.asset == "ETH")
    matching = Matching(WINDOW)
    for one in told:
        matching.add(one)
    matching.settle()
    old = [one for one in told if one.at < NOON + HOUR]
    found = meant(told)
    for one in old:
        matching.forget(one)
    assert [] == list(matching.settle())
    assert [pair for pair in found if not set(pair) & set(old)] == list(
        itertools.chain(*matching.passes())
    )


class CountedAmount(Decimal):
    """Counts how often amounts are compared."""

    count = 0

    def __lt__(self, other):
        CountedAmount.count += 1
        return super().__lt__(other)

    def __le__(self, other):
        CountedAmount.count += 1
        return super().__le__(other)

    def __ge__(self, other):
        CountedAmount.count += 1
        return super().__ge__(other)


@pytest.mark.parametrize("accounts", [1, 4])
def test_comparisons_do_not_grow_with_the_square_of_the_legs(accounts):
    """Of eight times as many legs, each is compared hardly more often."""
    costs = []
    for number in (250, 2000):
        CountedAmount.count = 0
        told = [
            leg(
                f"venue|{place % accounts}",
                72 * place / number,
                name=f"{place:04}",
                outgoing=place % 3 > 0,
            )._replace(
                amount=CountedAmount(1000 + 400 * (place * 7919 % number) // number)
            )
            for place in range(number)
        ]
        assert accounts == 1 or len(list(pairs(told))) > number // 5
        assert accounts > 1 or not list(pairs(told))
        costs.append(CountedAmount.count / number)
    assert costs[1] < 2 * costs[0]
