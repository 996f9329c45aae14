"""Operations by name."""

import pytest

from balance_simulator.zerohash import operate
from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.state import new_state


@pytest.fixture
def state():
    """Return a venue with a platform and a customer."""
    return new_state(ZeroHashSettings(subaccounts=1), 0)


_TRADE = {"base": "BTC", "volume": "0.5", "price": "60000"}


@pytest.mark.parametrize(
    ("name", "given", "runs"),
    [
        ("deposit", {"amount": "1"}, ["deposit"]),
        ("withdrawal", {"amount": "1"}, ["withdrawal"] * 2),
        ("transfer", {"amount": "1", "to_label": "trading"}, ["transfer"]),
        ("transfer", {"amount": "1", "to_participant": "PLAT01C00001"}, ["transfer"]),
        ("execution_fee", {"amount": "1"}, ["execution_fee"]),
        ("network_fee", {"amount": "1"}, ["network_fee"]),
        ("stake", {"amount": "1"}, ["stake"]),
        ("stake", {"amount": "-1"}, ["unstake"]),
        ("reward", {"amount": "1"}, ["reward_distribution"]),
        ("adjust", {"amount": "1"}, ["transfer"]),
        ("net_zero", {"amount": "1"}, ["settlement"]),
        ("empty", {}, ["withdrawal"]),
    ],
)
def test_operation_writes_its_runs(state, name, given, runs):
    """Each operation on one asset is one or two runs of its type."""
    done = operate.run(state, name, {"asset": "BTC", **given}, 0)
    assert runs == [run.run_type for run in done.runs]


def test_operations_in_two_steps_name_what_is_pending(state):
    """Requests and trades are finished by the id that was given."""
    given = {"asset": "BTC", "amount": "1"}
    for end in ("confirm_withdrawal", "cancel_withdrawal"):
        request = operate.run(state, "request_withdrawal", given, 0).more
        assert operate.run(state, end, request, 0).runs
    trade = operate.run(state, "execute_trade", _TRADE, 0).more
    assert 4 == len(operate.run(state, "settle_trade", trade, 0).runs[0].changes)
    assert 2 == len(operate.run(state, "trade", _TRADE, 0).runs)


def test_deposit_tells_where_it_came_from(state):
    """The reference of the page's sample can be chosen."""
    given = {"asset": "BTC", "amount": "1", "deposit_reference_id": "deposit 123"}
    (run,) = operate.run(state, "deposit", given, 0).runs
    assert (("deposit_reference_id", "deposit 123"),) == (
        run.changes[0].movements[0].extra
    )


def test_lists_grow_and_change(state):
    """Customers, assets and names are made by operations that write nothing."""
    assert {"participant": "ABC123"} == operate.run(
        state, "subaccount", {"code": "ABC123"}, 0
    ).more
    operate.run(state, "rename", {"asset": "BTC", "to": "XBT"}, 0)
    operate.run(state, "list", {"asset": "NEW.SOL", "decimals": "9"}, 0)
    assert ("BTC", "NEW") == (
        state.assets.find("XBT").code,
        state.assets.find("NEW.SOL").plain,
    )
    given = {"asset": "NEW.SOL", "amount": "1", "participant": "ABC123", "group": "G"}
    (run,) = operate.run(state, "deposit", given, 0).runs
    assert ("ABC123", "G") == run.changes[0].account[:2]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("theft", {}),
        ("deposit", {"asset": "BTC"}),
        ("deposit", {"asset": "NO", "amount": "1"}),
        ("deposit", {"asset": "BTC", "amount": "NaN"}),
        ("deposit", {"asset": "BTC", "amount": "1", "colour": "blue"}),
        ("deposit", {"asset": "BTC", "amount": "1", "participant": "nobody"}),
        ("settle_trade", {"trade": "none"}),
        ("subaccount", {"code": "PLAT01"}),
    ],
)
def test_wrong_operations_change_nothing(state, name, given):
    """What cannot be is an error, and the books are as they were."""
    before = state.ledger.truth()
    with pytest.raises(ValueError, match=r"."):
        operate.run(state, name, given, 0)
    assert before == state.ledger.truth()


def test_owners_are_named_in_three_ways(state):
    """Masters, all, or a list."""
    platform, customer = ("PLAT01", "PLAT01"), ("PLAT01C00001", "PLAT01")
    assert [platform] == operate.owners(state, "masters")
    assert [platform, customer] == operate.owners(state, "all")
    assert [customer] == operate.owners(state, [1])
    with pytest.raises(ValueError, match="users is"):
        operate.owners(state, "nobody")


def test_big_picture_has_as_many_accounts_as_asked_for(state):
    """Customers are taken on until the number is reached, twice over if asked twice."""
    before = len(state.ledger.records)
    for _ in range(2):
        runs = operate.load_picture(state, {"accounts": 100}, 0)
        assert 100 == sum(len(run.changes) for run in runs)
    assert before + 200 == len(state.ledger.records)
    assert all(record.balance for record in state.ledger.records.values())
