"""Opening a venue's books."""

import pytest

from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import add_subaccount, new_state


def test_accounts_have_their_own_keys_and_subaccounts():
    """Two masters with one sub-account each are four users and two keys."""
    state = new_state(KrakenSettings(accounts=2, subaccounts=1), 0)
    assert list(state.keys.keys) == ["simulated-key", "simulated-key-2"]
    masters = [
        user.id for user in state.ledger.users.values() if user.master == user.id
    ]
    assert [key.user for key in state.keys.keys.values()] == masters
    assert len(state.ledger.users) == 4
    truth = state.ledger.truth()
    assert truth[masters[0]]["BTC"]["spot/main"] == "1011.1908877900"
    assert truth[state.user(1)]["BTC"]["spot/main"] == "101.1190887790"


def test_equal_seeds_open_equal_books():
    """The seed alone decides ids and balances."""
    first, second = (new_state(KrakenSettings(seed=4), 0) for _ in range(2))
    assert first.ledger.truth() == second.ledger.truth()


def test_users_are_found_by_id_or_number():
    """None is the first user; an unknown one is refused."""
    state = new_state(KrakenSettings(funded=False), 0)
    sub = add_subaccount(state, state.user(None), 0)
    assert state.user(1) == state.user(sub) == sub
    for unknown in ("nobody", 2, -1):
        with pytest.raises(ValueError, match="no user"):
            state.user(unknown)


def test_engine_is_under_maintenance_while_the_fault_lasts():
    """The engine's state follows the armed fault."""
    state = new_state(KrakenSettings(), 0)
    assert state.system(0) == "online"
    state.faults.arm("maintenance", {"seconds": 1}, 0)
    assert state.system(999_999) == "maintenance"
    assert state.system(1_000_000) == "online"
