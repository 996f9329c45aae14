"""Rows of REST answers and what they are filtered by."""

from decimal import Decimal

import pytest

from balance_simulator.zerohash.ledger import Account, Leg
from balance_simulator.zerohash.rest_rows import account_movement, fits, movements
from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.state import new_state

_BTC = Account("PLAT01", "PLAT01", "general", "available", "BTC")


@pytest.fixture
def state():
    """Return a venue with one run of two movements."""
    state = new_state(
        ZeroHashSettings(funded=False, time_digits=6, amount_form="kept"), 0
    )
    extra = (("parent_link_id", "p"), ("transfer_type", "prefunded"))
    legs = [
        Leg(_BTC, Decimal(1), "transfer", "m", extra),
        Leg(_BTC, Decimal(2), "deposit", "n"),
    ]
    state.ledger.post("transfer", legs, 5_000)
    return state


def test_movement_has_null_for_what_it_has_not(state):
    """Every field of the description is there."""
    *_, first = movements(state.ledger)
    assert {
        "order_id": 0,
        "run_id": "94081",
        "movement_timestamp": 5,
        "movement_id": "m",
        "movement_type": "transfer",
        "trade_id": None,
        "deposit_reference_id": None,
        "withdrawal_request_id": None,
        "change": "1",
        "parent_link_id": "p",
        "origin": None,
    } == account_movement(state, first)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["n", "m"]),
        ({"parent_link_id": "p"}, ["m"]),
        ({"transfer_type": "fund"}, []),
        ({"movement_type": "deposit"}, ["n"]),
        ({"movement_timestamp[gt]": "5"}, []),
        ({"movement_timestamp[gte]": "5"}, ["n", "m"]),
        ({"movement_timestamp[e]": "5"}, ["n", "m"]),
        ({"movement_timestamp[lt]": "5"}, []),
        ({"movement_timestamp[lte]": "5", "movement_type": "transfer"}, ["m"]),
    ],
)
def test_movements_fit_a_query(state, query, expected):
    """All filters have to fit."""
    found = [row.movement for row in movements(state.ledger) if fits(row, query)]
    assert expected == [moved.movement_id for moved in found]
