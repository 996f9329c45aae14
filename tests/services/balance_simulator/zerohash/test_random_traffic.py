"""Random activity."""

import pytest

from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.state import new_state


@pytest.mark.parametrize("settings", [ZeroHashSettings, NdaxSettings])
def test_traffic_does_everything_and_overdraws_nothing(settings):
    """All kinds of runs come up, and what is available stays positive."""
    state = new_state(settings(subaccounts=1), 0)
    owners = list(state.groups.items())
    kinds = {
        run.run_type
        for at_us in range(2_000)
        for run in state.traffic.step(owners, at_us)
    }
    assert {
        "deposit",
        "withdrawal",
        "settlement",
        "transfer",
        "execution_fee",
        "network_fee",
        "stake",
        "reward_distribution",
    } <= kinds
    overdrawn = [
        account
        for account, record in state.ledger.records.items()
        if record.balance < 0 and account.account_type == "available"
    ]
    assert [] == overdrawn
    assert set(settings().account_types) == {
        account.account_type for account in state.ledger.records
    }


def test_equal_seeds_make_equal_books():
    """The traffic of a seed repeats."""

    def books(seed):
        state = new_state(ZeroHashSettings(seed=seed), 0)
        for at_us in range(50):
            state.traffic.step([("PLAT01", "PLAT01")], at_us)
        return state.ledger.truth()

    assert books(3) == books(3)
    assert books(3) != books(4)


def test_single_touches_one_account():
    """Where one more update is wanted, one is made."""
    state = new_state(ZeroHashSettings(), 0)
    runs = [state.traffic.single([("PLAT01", "PLAT01")], 0) for _ in range(20)]
    assert [1] * 20 == [len(run.changes) for (run,) in runs]
