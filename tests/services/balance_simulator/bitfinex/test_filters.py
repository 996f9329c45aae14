"""What a client asked to hear."""

import pytest

from balance_simulator.bitfinex.filters import Filters


@pytest.mark.parametrize(
    ("names", "btc", "usd", "balance"),
    [
        (None, True, True, True),
        (("wallet",), True, True, False),
        (("wallet", "balance"), True, True, True),
        (("wallet-exchange-BTC",), True, False, False),
        (("wallet", "wallet-exchange-BTC"), True, False, False),
        (("trading",), False, False, False),
    ],
)
def test_filters_let_by(names, btc, usd, balance):
    """Specific names count in place of the general one."""
    filters = Filters(names)
    assert (btc, usd, balance) == (
        filters.wants_wallet("exchange", "BTC"),
        filters.wants_wallet("margin", "USD"),
        filters.wants("balance"),
    )


def test_mistakes_are_seen():
    """Unknown names, and a general name beside a specific one, are told."""
    names = ("wallet", "wallet-exchange-BTC", "wallet_margin_USD", "notify-x", "bu")
    assert ["wallet_margin_USD", "notify-x", "bu"] == Filters(names).unknown
    assert Filters(names).mixed
    assert not Filters(("wallet", "trading-tBTCUSD", "funding-fBTC")).mixed
    assert [] == Filters(("trading-tBTCUSD", "funding-fBTC")).unknown
