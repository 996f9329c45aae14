"""What happens to accounts in the venue's operations."""

from decimal import Decimal

import pytest

from balance_simulator.zerohash.ledger import Account, LedgerError
from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.state import new_state

_BTC = Account("PLAT01", "PLAT01", "general", "available", "BTC")
_USD = _BTC._replace(asset="USD")


@pytest.fixture
def operations():
    """Return the operations of an empty venue."""
    return new_state(ZeroHashSettings(funded=False), 0).operations


def _told(runs):
    """Return type of run → account type, asset and change of each movement."""
    return [
        (
            run.run_type,
            [
                (
                    change.account.account_type,
                    change.account.asset,
                    m.movement_type,
                    str(m.change),
                )
                for change in run.changes
                for m in change.movements
            ],
        )
        for run in runs
    ]


def _ids(run):
    return [m.movement_id for change in run.changes for m in change.movements]


def test_withdrawal_waits_as_collateral_and_nets_to_zero_at_the_end(operations):
    """Pending moves it aside; confirmed takes it away and tells available twice."""
    operations.deposit(_BTC, Decimal("0.45"), 0)
    request, pending = operations.request_withdrawal(_BTC, Decimal("0.1"), 1)
    assert [
        (
            "withdrawal",
            [
                ("available", "BTC", "withdrawal_pending", "-0.1"),
                ("collateral", "BTC", "withdrawal_pending", "0.1"),
            ],
        )
    ] == _told(pending)
    assert 1 == len(set(_ids(pending[0])))
    confirmed = operations.confirm_withdrawal(request, 2)
    assert [
        (
            "withdrawal",
            [
                ("collateral", "BTC", "withdrawal_confirmed", "-0.1"),
                ("available", "BTC", "withdrawal_confirmed", "0.1"),
                ("available", "BTC", "withdrawal", "-0.1"),
            ],
        )
    ] == _told(confirmed)
    assert ["0.0", "0.35"] == [str(c.balance) for c in confirmed[0].changes]
    assert Decimal(0) == confirmed[0].changes[1].change


def test_withdrawal_can_be_given_up_but_once(operations):
    """Cancelled, all is as before; another end of it is refused."""
    request, _ = operations.request_withdrawal(_BTC, Decimal("0.1"), 1)
    operations.cancel_withdrawal(request, 2)
    assert 0 == operations.ledger.balance(_BTC)
    with pytest.raises(LedgerError, match="nothing is pending"):
        operations.confirm_withdrawal(request, 3)
    with pytest.raises(LedgerError, match="positive"):
        operations.request_withdrawal(_BTC, Decimal(0), 4)


def test_trade_settles_in_one_run_and_its_fee_in_another(operations):
    """Both legs share a movement's id; the fee is taken from the quote asset."""
    runs = operations.trade(_BTC, Decimal("0.5"), Decimal("60000.01"), 0)
    assert [
        (
            "settlement",
            [
                ("available", "USD", "final_settlement", "-30000.01"),
                ("available", "BTC", "final_settlement", "0.5"),
            ],
        ),
        ("execution_fee", [("available", "USD", "execution_fee", "-78.00")]),
    ] == _told(runs)
    assert 1 == len(set(_ids(runs[0])))
    sold = operations.trade(_BTC, Decimal("-0.5"), Decimal(2), 0, Decimal(0))
    assert ["-0.5", "1.00"] == [str(c.change) for c in sold[0].changes]
    assert 1 == len(sold)


def test_executed_trade_is_owed_until_it_is_settled(operations):
    """Payable and receivable first; then they end and available moves."""
    trade, owed = operations.execute(_BTC, Decimal("0.5"), Decimal(60000), 0)
    assert [
        (
            "settlement",
            [
                ("payable", "USD", "final_settlement_outstanding", "30000.00"),
                ("receivable", "BTC", "final_settlement_outstanding", "0.5"),
            ],
        )
    ] == _told(owed)
    (settled,) = operations.settle(trade, 1)
    assert {
        ("payable", "USD"): "0.00",
        ("available", "USD"): "-30000.00",
        ("receivable", "BTC"): "0.0",
        ("available", "BTC"): "0.5",
    } == {
        (change.account.account_type, change.account.asset): str(change.balance)
        for change in settled.changes
    }


def test_transfer_has_two_legs_with_one_id(operations):
    """What leaves one account enters another."""
    target = _BTC._replace(account_label="trading", account_type="collateral")
    (run,) = operations.transfer(_BTC, target, Decimal(2), 0)
    assert ["-2", "2"] == [str(change.balance) for change in run.changes]
    assert 1 == len(set(_ids(run)))


def test_movements_carry_only_the_samples_fields_where_asked_for():
    """Without the setting there is neither a parent nor an origin."""
    state = new_state(ZeroHashSettings(funded=False, movement_extras=False), 0)
    (run,) = state.operations.transfer(_BTC, _USD, Decimal(2), 0)
    names = [name for name, _ in run.changes[0].movements[0].extra]
    assert ["transfer_request_id", "transfer_type"] == names


@pytest.mark.parametrize(
    ("settings", "kind"), [(ZeroHashSettings, "staked"), (NdaxSettings, "collateral")]
)
def test_stake_goes_where_the_venue_keeps_it(settings, kind):
    """Where there is no type for stakes they are collateral; they come back, too."""
    operations = new_state(settings(funded=False), 0).operations
    (there,) = operations.stake(_BTC, Decimal(2), 0)
    (back,) = operations.stake(_BTC, Decimal(-2), 1)
    assert ("stake", "unstake") == (there.run_type, back.run_type)
    assert {kind, "available"} == {c.account.account_type for c in there.changes}
    assert [Decimal(0)] * 2 == [change.balance for change in back.changes]


def test_fees_rewards_and_adjustments_are_runs_of_their_own(operations):
    """A network fee, a reward, and words that nobody knows."""
    runs = [
        operations.fee(_USD, Decimal(3), "network_fee", 0),
        *operations.reward(_USD, Decimal(1), 0),
        *operations.adjust(_USD, [Decimal(1), Decimal(-1)], ("moon", "rain"), 0),
    ]
    assert [
        ("network_fee", "-3", "-3"),
        ("reward_distribution", "1", "-2"),
        ("moon", "0", "-2"),
    ] == [
        (r.run_type, str(r.changes[0].change), str(r.changes[0].balance)) for r in runs
    ]


def test_movements_are_older_or_younger_than_their_run(operations):
    """Samples show both, and so do some runs out of fifty."""
    runs = [operations.deposit(_BTC, Decimal(1), 10**12)[0] for _ in range(50)]
    away = {run.at_ns - run.changes[0].movements[0].at_ns for run in runs}
    assert {0, 60 * 10**9, -(10**9)} == away
