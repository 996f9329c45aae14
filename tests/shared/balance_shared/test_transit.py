"""Withdrawals and deposits find each other, whatever order they are read in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.records import BalanceEvent, Movement
from balance_shared.transit import WINDOW, Leg, Transits, legs_of, pairs

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
