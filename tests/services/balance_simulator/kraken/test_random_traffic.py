"""Seeded random traffic."""

from hypothesis import given, settings
from hypothesis import strategies as st

from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state


def _run(seed, steps):
    state = new_state(KrakenSettings(seed=seed, subaccounts=1), 0)
    users = list(state.ledger.users)
    lines = [
        line for at in range(steps) for line in state.traffic.step(users, 1_000 + at)
    ]
    return state, lines


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_no_wallet_is_ever_overdrawn(seed):
    """Whatever the seed, every balance stays at zero or above."""
    state, lines = _run(seed, 300)
    assert all(line.wallet_balance >= 0 for line in lines)
    assert {line.entry.wallet.user for line in lines} == set(state.ledger.users)


def test_equal_seeds_write_equal_books():
    """A seed decides every line, and every kind of operation comes up."""
    first, lines = _run(3, 2_000)
    second, _ = _run(3, 2_000)
    assert first.ledger.lines == second.ledger.lines
    kinds = {line.entry.type for line in lines}
    assert kinds == {"trade", "deposit", "withdrawal", "earn", "reward"}


def test_single_writes_one_line():
    """The last line of a count can be had without a second one."""
    state, _ = _run(1, 0)
    users = list(state.ledger.users)
    assert len(state.traffic.single(users, 1)) == 1
