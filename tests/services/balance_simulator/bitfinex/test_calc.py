"""Requests for calculated values."""

import pytest

from balance_simulator.bitfinex.auth import RefusedError
from balance_simulator.bitfinex.calc import CalcBudget, calc_names, wallet_of


def test_names_are_lists_of_one():
    """The documented form gives its names in order."""
    names = [["wallet_exchange_BTC"], ["wallet_margin_USD"], ["balance"]]
    expected = ["wallet_exchange_BTC", "wallet_margin_USD", "balance"]
    assert expected == calc_names([0, "calc", None, names])


@pytest.mark.parametrize(
    "asked", [None, [], {}, ["balance"], [["a", "b"]], [[]], [[1]], "balance"]
)
def test_other_forms_are_refused(asked):
    """Whatever is no list of lists of one text is a bad parameter."""
    with pytest.raises(RefusedError, match="10020"):
        calc_names([0, "calc", None, asked])
    with pytest.raises(RefusedError, match="10020"):
        calc_names([0, "calc"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wallet_exchange_BTC", ("exchange", "BTC")),
        ("wallet_margin_A_B", ("margin", "A_B")),
        ("wallet-exchange-BTC", None),
        ("margin_base", None),
        ("balance", None),
    ],
)
def test_wallets_are_named_with_underscores(name, expected):
    """Hyphens belong to filters and name no wallet here."""
    assert expected == wallet_of(name)


def test_eight_in_any_second():
    """The ninth name in a second is refused, and counted in the peak."""
    budget = CalcBudget(batch_max=30, per_s=8)
    assert budget.take(5, 0)
    assert budget.take(3, 500_000)
    assert not budget.take(1, 999_999)
    assert budget.take(5, 1_000_000)
    assert not budget.take(1, 1_400_000)
    assert (9, 2) == (budget.peak, budget.refused)


def test_thirty_in_a_batch():
    """A batch above the limit is refused whatever the rate."""
    budget = CalcBudget(batch_max=30, per_s=100)
    assert not budget.take(31, 0)
    assert budget.take(30, 0)
