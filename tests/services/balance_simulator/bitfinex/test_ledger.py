"""The true books."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_simulator.bitfinex.currencies import CurrencyList
from balance_simulator.bitfinex.ledger import Entry, Ledger, LedgerError, Wallet
from balance_simulator.exact import EXACT

_BTC = Wallet("exchange", "BTC")


def _entry(amount, wallet=_BTC):
    return Entry(wallet, Decimal(amount), "adjust", "Adjustment")


@given(st.lists(st.decimals(-(10**19), 10**19, places=18), max_size=20))
def test_balances_are_exact_sums(amounts):
    """No digit is lost, whatever the amounts are."""
    ledger = Ledger(CurrencyList())
    ledger.post([_entry(amount) for amount in amounts], 0)
    units = sum(int(EXACT.scaleb(amount, 18)) for amount in amounts)
    assert units == int(EXACT.scaleb(ledger.balance(_BTC), 18))


def test_nineteen_decimals_do_not_fit():
    """What the books cannot hold changes nothing, trailing zeros do not count."""
    ledger = Ledger(CurrencyList())
    with pytest.raises(LedgerError, match="more than 18"):
        ledger.post([_entry("1"), _entry("1e-19")], 0)
    assert [] == ledger.lines
    ledger.post([_entry("1.0000000000000000000000")], 0)
    assert {"BTC": {"exchange": "1.0000000000000000000000"}} == ledger.truth()


def test_what_is_held_is_not_available():
    """Held money is part of the balance and not of what is available."""
    ledger = Ledger(CurrencyList())
    ledger.post([_entry("1.5")], 0)
    ledger.hold(_BTC, Decimal("0.5"))
    assert {"BTC": {"exchange": "1.0"}} == ledger.truth(available=True)
    with pytest.raises(LedgerError, match="held"):
        ledger.hold(_BTC, Decimal("-0.6"))


def test_old_lines_are_forgotten_and_sums_stay():
    """At most twice the limit is remembered; ids count on."""
    ledger = Ledger(CurrencyList(), lines_max=2)
    lines = [ledger.post([_entry("1")], 0)[0] for _ in range(5)]
    assert [line.id for line in lines[3:]] == [line.id for line in ledger.lines]
    assert (5, Decimal(5)) == (ledger.lines_written, ledger.balance(_BTC))
    assert list(range(lines[0].id, lines[0].id + 5)) == [line.id for line in lines]
    assert ledger.last(Wallet("margin", "BTC")) is None
