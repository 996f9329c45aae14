"""Who sees which accounts, and the picture of them."""

import json
from decimal import Decimal

import pytest

from balance_simulator.zerohash.ledger import Account, Leg
from balance_simulator.zerohash.pictures import Scope, initial_balance, visible
from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.state import new_state

_OWN = Account("PLAT01", "PLAT01", "general", "available", "USDC.SOL")
_HELD = {
    _OWN: "1.50",
    _OWN._replace(asset="USDC.ETH"): "2",
    _OWN._replace(asset="BTC"): "0",
    _OWN._replace(participant_code="CUST01", asset="BTC"): "3",
    _OWN._replace(account_group="OTHER1", account_type="staked"): "4",
    Account("CUST02", "OTHER1", "general", "available", "BTC"): "5",
}


def _state(**settings):
    state = new_state(ZeroHashSettings(funded=False, **settings), 0)
    for account, text in _HELD.items():
        leg = Leg(account, Decimal(text), "deposit", "m")
        state.ledger.post("deposit", [leg], 0)
    return state


def _rows(state, multi_chain=True, **narrowed):
    body = json.loads(initial_balance(state, Scope("PLAT01", multi_chain, narrowed)))[
        "body"
    ]
    return [
        (row["participant_code"], row["account_group"], row["asset"], row["balance"])
        for row in body
    ]


def test_scope_is_ones_own_accounts_and_those_of_the_group():
    """Participant or group has to be the platform's; empty accounts are left out."""
    assert [
        ("PLAT01", "PLAT01", "USDC.SOL", "1.50"),
        ("PLAT01", "PLAT01", "USDC.ETH", "2"),
        ("CUST01", "PLAT01", "BTC", "3"),
        ("PLAT01", "OTHER1", "USDC.SOL", "4"),
    ] == _rows(_state(amount_form="kept"))


def test_empty_accounts_are_told_where_asked_for():
    """With the setting, an account that holds nothing is a row."""
    rows = _rows(_state(snapshot_zeros=True, amount_form="kept"))
    assert ("PLAT01", "PLAT01", "BTC", "0") in rows


def test_chains_are_summed_or_repeated_under_one_name():
    """Without chains there is one row with the sum, or a row for each."""
    summed = _rows(
        _state(amount_form="kept"), multi_chain=False, account_type="available"
    )
    repeated = _rows(
        _state(amount_form="kept", chains="repeated"),
        multi_chain=False,
        account_type="available",
    )
    last = ("CUST01", "PLAT01", "BTC", "3")
    assert [("PLAT01", "PLAT01", "USDC", "3.50"), last] == summed
    assert [
        ("PLAT01", "PLAT01", "USDC", "1.50"),
        ("PLAT01", "PLAT01", "USDC", "2"),
        last,
    ] == repeated


@pytest.mark.parametrize(
    ("narrowed", "count"),
    [
        ({}, 5),
        ({"account_owner": "CUST01"}, 1),
        ({"account_group": "OTHER1"}, 1),
        ({"account_type": "staked"}, 1),
        ({"asset": "BTC"}, 2),
        ({"asset": "BTC", "account_owner": "CUST01"}, 1),
        ({"asset": "USDC"}, 0),
        ({"colour": "blue"}, 5),
    ],
)
def test_filter_narrows_the_scope(narrowed, count):
    """Each filter has to fit; a name that is none is not looked at."""
    assert count == len(list(visible(_state(), Scope("PLAT01", True, narrowed))))


def test_unreadable_figure_stands_in_one_row():
    """The fault puts its text into the first row of the next picture."""
    state = _state(amount_form="kept")
    state.faults.arm("figure", {"to": "snapshot", "text": "0.1234567890123456789"}, 0)
    assert ["0.1234567890123456789", "2"] == [row[3] for row in _rows(state)[:2]]
    assert "1.50" == _rows(state)[0][3]
