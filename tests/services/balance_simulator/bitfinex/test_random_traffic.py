"""Random account activity."""

from decimal import Decimal


def _drawn(desk, steps):
    return [line for _ in range(steps) for line in desk.state.traffic.step(desk.now_us)]


def test_equal_seeds_draw_equal_traffic(desk_with):
    """The same seed makes the same lines, another one others."""
    first, again, other = (_drawn(desk_with(seed=seed), 50) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_traffic_overdraws_nothing_and_does_everything(desk):
    """A thousand operations leave no wallet below what it opened with below zero."""
    lines = _drawn(desk, 1000)
    kinds = {line.entry.kind for line in lines}
    assert {"trade", "deposit", "withdrawal", "transfer", "funding"} == kinds
    assert min(line.balance for line in lines) >= Decimal(0)
    moved = {line.entry.wallet for line in lines}
    assert {"exchange", "margin", "funding"} == {wallet.type for wallet in moved}
    assert any(wallet.currency == "USTF0" for wallet in moved)


def test_single_step_is_one_line(desk):
    """The last line of a count is one line."""
    assert [1] * 20 == [len(desk.state.traffic.single(0)) for _ in range(20)]
