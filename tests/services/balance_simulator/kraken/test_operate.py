"""Operations by name."""

import pytest

from balance_simulator.kraken import operate
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state


@pytest.fixture
def state():
    """Return a venue with a master and a sub-account."""
    return new_state(KrakenSettings(subaccounts=1), 0)


@pytest.mark.parametrize(
    ("name", "arguments", "lines"),
    [
        ("deposit", {"asset": "BTC", "amount": "1", "fee": "0.1"}, 1),
        ("deposit", {"asset": "BTC", "amount": "1", "wallet": "earn/new"}, 1),
        ("withdrawal", {"asset": "USD", "amount": "1", "user": 1}, 1),
        ("trade", {"base": "BTC", "quote": "USD", "volume": "-1", "price": "9"}, 2),
        (
            "trade",
            {
                "base": "BTC",
                "quote": "USD",
                "volume": "1",
                "price": "9",
                "fee_in_credits": True,
            },
            3,
        ),
        ("stake", {"asset": "DOT", "amount": "1"}, 2),
        ("allocate", {"asset": "BTC", "amount": "1", "wallet": "earn/flexible"}, 2),
        ("reward", {"asset": "BTC", "amount": "0.1"}, 1),
        ("fee", {"fee": "1"}, 1),
        ("adjust", {"asset": "BTC", "amount": "-1", "type": "dividend"}, 1),
        ("rename", {"asset": "MATIC", "to": "POL"}, 0),
        ("rebase", {"asset": "AAPLx", "multiplier": "2"}, 0),
        ("list", {"asset": "NEW", "decimals": 18}, 0),
        ("subaccount", {}, 0),
    ],
)
def test_every_operation_writes_its_lines(state, name, arguments, lines):
    """Each name runs its operation, for the user that is asked for."""
    done = operate.run(state, name, arguments, 5)
    assert len(done.lines) == lines
    user = state.user(arguments.get("user"))
    assert all(line.entry.wallet.user == user for line in done.lines)


def test_withdrawal_in_two_steps(state):
    """Asked for, then completed or cancelled by its reference."""
    arguments = {"asset": "USD", "amount": "1", "fee": "0.5"}
    first, second = (
        operate.run(state, "request_withdrawal", arguments, 5).more["ref_id"]
        for _ in range(2)
    )
    (line,) = operate.run(state, "complete_withdrawal", {"ref_id": first}, 6).lines
    assert line.entry.ref_id == first
    assert operate.run(state, "cancel_withdrawal", {"ref_id": second}, 6).lines == []
    assert state.ledger.pending == {}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("deposit", {"asset": "BTC", "amount": "NaN"}),
        ("deposit", {"asset": "BTC", "amount": "one"}),
        ("deposit", {"amount": "1"}),
        ("deposit", {"asset": "BTC", "amount": "1", "user": "nobody"}),
        ("deposit", {"asset": "USD", "amount": "0.00001"}),
        ("complete_withdrawal", {"ref_id": "none"}),
        ("nothing", {}),
    ],
)
def test_wrong_operations_are_refused(state, name, arguments):
    """A wrong name or argument raises, and writes nothing."""
    written = state.ledger.lines_written
    with pytest.raises((ValueError, TypeError)):
        operate.run(state, name, arguments, 5)
    assert state.ledger.lines_written == written


def test_users_are_masters_all_or_named(state):
    """Traffic can be limited to masters, or to named users."""
    master, sub = state.ledger.users
    assert operate.users(state, "masters") == [master]
    assert operate.users(state, "all") == [master, sub]
    assert operate.users(state, [sub, 0]) == [sub, master]


def test_picture_lists_new_assets_each_time(state):
    """Loading twice gives twice as many assets, in wallets of all scales."""
    first = operate.load_picture(state, {"assets": 40, "wallets": 5}, 5)
    second = operate.load_picture(state, {"assets": 40}, 5)
    names = {line.entry.wallet.asset for line in (*first, *second)}
    assert (len(first), len(second), len(names)) == (200, 40, 80)
