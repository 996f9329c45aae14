"""Legs are read from events, and what left is in transit until it arrives."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.records import BalanceEvent, Movement
from balance_shared.matching import WINDOW, pairs
from balance_shared.transit import Transits, legs_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HASH = "0x5349da4804673b757ff2e341810d2e304bcb6b22"


def event(movement: Movement | None, **fields: Any) -> BalanceEvent:
    """Return an update of a Kraken wallet with one movement."""
    defaults: dict[str, Any] = {
        "event_id": "e",
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "feed": "ws",
        "wallet": "spot",
        "wallet_id": "main",
        "nature": "asset",
        "asset": "ETH",
        "venue_asset": "ETH",
        "asset_class": "currency",
        "network": "",
        "kind": "update",
        "balance": Decimal(9),
        "balance_scope": "wallet",
        "movements": (movement,) if movement else (),
        "venue_time": NOON,
        "received_at": NOON,
        "epoch": 1,
    }
    return BalanceEvent(**(defaults | fields))


def movement(type_="withdrawal", **fields: Any) -> Movement:
    """Return a ledger line."""
    return Movement(movement_id="m", type=type_, **fields)


@pytest.mark.parametrize(
    ("told", "amount", "outgoing"),
    [
        (event(movement(amount=Decimal(-1), fee=Decimal("0.01"))), "1", True),
        (event(movement("deposit", change=Decimal("1.25"))), "1.25", False),
        (
            event(movement("", attributes={"description": "ETH Withdrawal #1 on w"})),
            "1",
            True,
        ),
        (
            event(
                None,
                kind="backfill",
                delta=Decimal(-1),
                attributes={"run_type": "withdrawal"},
            ),
            "1",
            True,
        ),
    ],
)
def test_legs_are_read_from_every_venues_words(told, amount, outgoing):
    """Types, descriptions and runs; the change is the balance's where no line says it."""
    (found,) = legs_of(told, Decimal(10))
    assert (Decimal(amount), outgoing) == (found.amount, found.outgoing)


@pytest.mark.parametrize(
    "told",
    [
        event(movement("withdrawal_pending", change=Decimal(-1))),
        event(movement("trade", change=Decimal(-1))),
        event(movement("withdrawal", change=Decimal(1))),
        event(movement("", attributes={"description": "Crypto Withdrawal fee #1"})),
        event(movement(change=Decimal(-1)), kind="snapshot"),
        event(movement(change=Decimal(-1)), nature="liability"),
        event(None),
    ],
)
def test_other_lines_are_no_legs(told):
    """What is asked for, a fee, a trade, a picture, a debt, or money that came back."""
    assert [] == list(legs_of(told, Decimal(10)))


def test_change_that_nobody_tells_is_no_leg():
    """Without the balance before, a new balance says nothing of an amount."""
    told = event(movement("", attributes={"description": "ETH Withdrawal #1"}))
    assert [] == list(legs_of(told, None))


def test_references_are_read_from_attributes():
    """Names of transactions are compared without case."""
    line = movement(change=Decimal(-1), attributes={"transaction_id": HASH.upper()})
    (found,) = legs_of(event(line), None)
    assert frozenset({HASH}) == found.references


def test_transfer_is_in_transit_until_it_arrives():
    """It is open from the withdrawal on, and closed by the deposit elsewhere."""
    transits = Transits()
    assert transits.take(event(movement(change=Decimal(-1)), event_id="out"))
    assert not transits.take(event(movement(change=Decimal(-1)), event_id="out"))
    assert ["out"] == [one.event_id for one in transits.open(NOON + HOUR)]
    deposit = event(movement("deposit", change=Decimal(1)), event_id="in", venue="ndax")
    assert transits.take(deposit)
    assert () == transits.open(NOON + HOUR)


def test_transfer_is_given_up_after_the_window():
    """What never arrives has left the firm; then it is forgotten."""
    transits = Transits()
    transits.take(event(movement(change=Decimal(-1)), event_id="out"))
    assert () == transits.open(NOON + WINDOW + HOUR)
    later = event(
        movement(change=Decimal(-1)), event_id="new", venue_time=NOON + 3 * WINDOW
    )
    transits.take(later)
    assert ["new"] == [one.event_id for one in transits.open(NOON + 3 * WINDOW)]
    assert ["new"] == list(transits._legs)


def test_wallet_that_tells_balances_only_has_legs_too():
    """Two balances in a row tell what left (Bitfinex)."""
    transits = Transits()
    words = movement("", attributes={"description": "ETH Withdrawal #1"})
    transits.take(event(None, kind="snapshot", event_id="s", balance=Decimal(10)))
    transits.take(event(words, event_id="u", balance=Decimal("8.5")))
    (found,) = transits.open(NOON)
    assert Decimal("1.5") == found.amount


def told_leg(number: int, at: datetime, outgoing: bool, **fields: Any) -> BalanceEvent:
    """Return an event that tells a leg."""
    amount = fields.pop("amount", Decimal(1))
    reference = fields.pop("reference", "")
    line = movement(
        "withdrawal" if outgoing else "deposit",
        change=-amount if outgoing else amount,
        attributes={"transaction_id": reference} if reference else {},
    )
    return event(line, event_id=f"e{number}", venue_time=at, **fields)


told_legs = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 5, 12, 30]),  # hours after the one before
        st.booleans(),
        st.fixed_dictionaries(
            {
                "venue": st.sampled_from(["kraken", "ndax", "bitfinex"]),
                "amount": st.sampled_from([Decimal(1), Decimal("0.99"), Decimal(5)]),
                "reference": st.sampled_from(["", "", HASH, HASH + "2"]),
            }
        ),
        st.booleans(),
    ),
    max_size=40,
)


@given(told_legs)
def test_what_is_forgotten_makes_no_difference(told):
    """In the order of their times, it is as if all were kept; however often asked."""
    transits, legs, now = Transits(), [], NOON
    for number, (hours, outgoing, fields, asked) in enumerate(told):
        now += hours * HOUR
        one = told_leg(number + 100, now, outgoing, **fields)
        transits.take(one)
        legs += legs_of(one, None)
        if asked or number + 1 == len(told):
            gone = {out.event_id for out, _ in pairs(legs)}
            expected = [
                one
                for one in sorted(legs)
                if one.outgoing and one.event_id not in gone and one.at >= now - WINDOW
            ]
            assert expected == list(transits.open(now))
            by_key: dict[str, list[str]] = {}
            for one in expected:
                if one.at <= now - 6 * HOUR:
                    by_key.setdefault(one.key, []).append(one.event_id)
            assert [(ids[0], len(ids)) for ids in by_key.values()] == [
                (one.event_id, count)
                for one, count in transits.oldest(now, now - 6 * HOUR)
            ]
            assert all(one.at >= now - 2 * WINDOW for one in transits._legs.values())


def test_late_telling_of_what_is_forgotten_changes_nothing():
    """It is older than anything that could belong to it."""
    transits = Transits()
    transits.take(told_leg(1, NOON + 3 * WINDOW, outgoing=True))
    (open_,) = transits.open(NOON + 3 * WINDOW)
    assert transits.take(told_leg(2, NOON, outgoing=True))
    assert (open_,) == transits.open(NOON + 3 * WINDOW)
    assert ["e1"] == list(transits._legs)


class CountedTime(datetime):
    """Counts how often times are compared."""

    count = 0

    def __lt__(self, other):
        CountedTime.count += 1
        return super().__lt__(other)

    def __eq__(self, other):
        CountedTime.count += 1
        return super().__eq__(other)

    __hash__ = datetime.__hash__


def test_cost_of_a_leg_does_not_grow_with_their_number():
    """Of eight times as many legs, each is compared hardly more often."""
    costs = []
    for number in (250, 2000):
        CountedTime.count, transits = 0, Transits()
        start = CountedTime(2026, 3, 1, 12, tzinfo=UTC)
        for place in range(number):
            at = start + place * 2 * WINDOW / number
            venue = ("kraken", "ndax", "kraken", "kraken")[place % 4]
            transits.take(told_leg(place, at, place % 4 in {0, 2}, venue=venue))
            transits.oldest(at, at)
        costs.append(CountedTime.count / number)
    assert costs[1] < 2 * costs[0]
