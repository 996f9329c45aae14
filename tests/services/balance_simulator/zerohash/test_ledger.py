"""The books: accounts, runs and what is remembered of them."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_simulator.zerohash.assets import ZEROHASH_ASSETS, AssetList
from balance_simulator.zerohash.identifiers import Identifiers
from balance_simulator.zerohash.ledger import Account, Ledger, Leg, subaccount

_BTC = Account("CUST01", "PLAT01", "general", "available", "BTC")


def _ledger(digits=6, runs_max=100_000):
    rng = random.Random(7)
    assets = AssetList(ZEROHASH_ASSETS)
    return Ledger(assets, Identifiers(rng), rng, digits, runs_max)


def _leg(account, text, kind="transfer"):
    return Leg(account, Decimal(text), kind, "m")


def test_run_tells_each_account_once_with_its_balance_after_all():
    """Movements of one account are gathered, their sum is its change."""
    ledger = _ledger()
    collateral = _BTC._replace(account_type="collateral")
    legs = [_leg(collateral, "-0.1"), _leg(_BTC, "0.1"), _leg(_BTC, "-0.1")]
    ledger.post("deposit", [_leg(_BTC, "0.35"), _leg(collateral, "0.1")], 0)
    run = ledger.post("withdrawal", legs, 5, settled_s=60)
    told = [
        (change.account, str(change.balance), str(change.change), len(change.movements))
        for change in run.changes
    ]
    assert [(collateral, "0.0", "-0.1", 1), (_BTC, "0.35", "0.0", 2)] == told
    assert (5_000, 5_000 - 60 * 10**9) == (
        run.at_ns,
        run.changes[0].movements[0].at_ns,
    )
    assert [0, 1, 2] == [m.order for c in run.changes for m in c.movements]
    record = ledger.record(_BTC)
    assert (run.run_id, "withdrawal") == (record.run_id, record.run_type)
    assert _BTC == ledger.by_id[record.account_id]


def test_chains_of_a_name_are_added_up_after_the_whole_run():
    """The sum over chains is that at the end of the run, whatever the order."""
    ledger = _ledger()
    sol, eth = (_BTC._replace(asset=f"USDC.{chain}") for chain in ("SOL", "ETH"))
    run = ledger.post("transfer", [_leg(sol, "5"), _leg(eth, "7")], 0)
    assert [Decimal(12)] * 2 == [change.named_balance for change in run.changes]
    assert [Decimal(5), Decimal(7)] == [change.balance for change in run.changes]


@pytest.mark.parametrize(("digits", "expected"), [(6, {6}), (9, {9}), (0, {6, 9})])
def test_digits_of_times_are_chosen_or_mixed(digits, expected):
    """Times have 6 or 9 digits, and nanoseconds only where there are 9."""
    ledger = _ledger(digits)
    runs = [ledger.post("deposit", [_leg(_BTC, "1")], 1) for _ in range(50)]
    assert expected == {run.digits for run in runs}
    assert all(run.at_ns == 1_000 for run in runs if run.digits == 6)
    assert all(1_000 <= run.at_ns < 2_000 for run in runs)


def test_old_runs_are_forgotten_and_their_sums_stay():
    """At least as many runs as asked for are remembered, no balance is lost."""
    ledger = _ledger(runs_max=3)
    for _ in range(10):
        ledger.post("deposit", [_leg(_BTC, "1")], 0)
    assert 3 <= len(ledger.runs) <= 6
    assert (10, Decimal(10)) == (ledger.runs_written, ledger.balance(_BTC))


def test_truth_is_exact_and_names_who_holds_what():
    """Nineteen decimals are kept, an empty account is told, slashes are encoded."""
    ledger = _ledger()
    odd = Account("A/B", "P%", "general", "staked", "USDC.SOL")
    ledger.post("deposit", [_leg(odd, "0.0000000000000000001"), _leg(_BTC, "0")], 0)
    assert {
        "A%2FB/P%25/general": {"USDC.SOL": {"staked": "0.0000000000000000001"}},
        "CUST01/PLAT01/general": {"BTC": {"available": "0"}},
    } == ledger.truth()
    assert "A%2FB/P%25/general" == subaccount(odd)
    assert 0 == ledger.balance(odd._replace(asset="BTC"))


@given(st.lists(st.decimals(-(10**9), 10**9, places=18), min_size=1))
def test_balance_is_the_sum_of_all_changes(changes):
    """However amounts are split into runs, nothing is rounded."""
    ledger = _ledger()
    for change in changes:
        ledger.post("transfer", [Leg(_BTC, change, "transfer", "m")], 0)
    assert sum(int(change.scaleb(18)) for change in changes) == int(
        ledger.balance(_BTC).scaleb(18)
    )
