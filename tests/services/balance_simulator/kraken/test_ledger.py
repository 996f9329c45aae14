"""The true books."""

import random
from collections import defaultdict
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_simulator.kraken.assets import AssetList
from balance_simulator.kraken.identifiers import Identifiers
from balance_simulator.kraken.ledger import (
    Entry,
    Ledger,
    LedgerError,
    PendingWithdrawal,
    Wallet,
)

_UNITS = st.integers(-(10**30), 10**30)
_WALLETS = st.builds(
    Wallet,
    st.sampled_from(["ONE", "TWO"]),
    st.sampled_from(["XXBT", "ZUSD", "SIM18"]),
    st.sampled_from(["spot", "earn"]),
    st.sampled_from(["main", "liquid"]),
)
_DECIMALS = {"XXBT": 10, "ZUSD": 4, "SIM18": 18}


def _ledger(lines_max=250_000) -> Ledger:
    rng = random.Random(1)
    ledger = Ledger(AssetList(), Identifiers(rng), lines_max)
    ledger.add_user("ONE")
    ledger.add_user("TWO", master="ONE")
    return ledger


@st.composite
def _entries(draw):
    wallet = draw(_WALLETS)
    scale = -_DECIMALS[wallet.asset]
    amount = Decimal(draw(_UNITS)).scaleb(scale)
    fee = Decimal(abs(draw(_UNITS))).scaleb(scale)
    return Entry(wallet, "REF", "trade", amount, fee)


@given(st.lists(_entries(), max_size=40))
def test_sum_of_lines_is_the_balance_in_both_scopes(entries):
    """Each line chains to the one before, for the wallet and for the account."""
    ledger = _ledger()
    lines = ledger.post(entries, at_us=1)
    with localcontext() as context:
        context.prec = 100
        by_wallet, by_account = defaultdict(Decimal), defaultdict(Decimal)
        for line in lines:
            wallet = line.entry.wallet
            change = line.entry.amount - line.entry.fee
            by_wallet[wallet] += change
            by_account[wallet.user, wallet.asset] += change
            assert line.balance("wallet") == by_wallet[wallet]
            assert line.balance("account") == by_account[wallet.user, wallet.asset]
    for wallet, balance in by_wallet.items():
        assert ledger.balance(wallet) == balance
    for (user, asset), total in by_account.items():
        assert ledger.total(user, asset) == total
    assert ledger.lines_written == len(entries)


def test_every_figure_has_the_scale_of_its_asset():
    """Balances carry all decimals of the asset, trailing zeros included."""
    ledger = _ledger()
    ledger.post([Entry(Wallet("ONE", "XXBT"), "R", "deposit", Decimal(1))], 1)
    assert ledger.truth()["ONE"] == {"BTC": {"spot/main": "1.0000000000"}}


def test_nothing_is_written_when_one_entry_does_not_fit():
    """An amount with too many decimals is refused together with its whole batch."""
    ledger = _ledger()
    wallet = Wallet("ONE", "ZUSD")
    entries = [
        Entry(wallet, "R", "deposit", Decimal(1)),
        Entry(wallet, "R", "deposit", Decimal("0.00001")),
    ]
    with pytest.raises(LedgerError, match="4 decimals"):
        ledger.post(entries, 1)
    with pytest.raises(LedgerError, match="NOBODY"):
        ledger.post([Entry(Wallet("NOBODY", "ZUSD"), "R", "deposit", Decimal(1))], 1)
    assert ledger.lines_written == 0
    assert ledger.truth() == {"ONE": {}, "TWO": {}}


def test_users_are_opened_once_and_below_a_master_that_exists():
    """A user cannot be opened twice, nor below nobody."""
    ledger = _ledger()
    assert ledger.users["TWO"].master == "ONE"
    with pytest.raises(LedgerError):
        ledger.add_user("ONE")
    with pytest.raises(LedgerError):
        ledger.add_user("THREE", master="NOBODY")


def test_old_lines_are_forgotten_and_their_sums_stay():
    """The list of lines is bounded; balances and the count are not touched."""
    ledger = _ledger(lines_max=10)
    wallet = Wallet("ONE", "ZUSD")
    for _ in range(100):
        ledger.post([Entry(wallet, "R", "deposit", Decimal("0.0001"))], 1)
    assert 10 <= len(ledger.lines) <= 20
    assert ledger.lines_written == 100
    assert ledger.balance(wallet) == Decimal("0.0100")


def test_pending_withdrawals_are_kept_apart():
    """A pending withdrawal changes no balance, and can be taken once."""
    ledger = _ledger()
    wallet = Wallet("ONE", "ZUSD")
    pending = PendingWithdrawal(wallet, Decimal(5), Decimal(1))
    ledger.request_withdrawal("REF", pending)
    assert ledger.pending_total(wallet) == 6
    assert ledger.pending_total(Wallet("ONE", "XXBT")) == 0
    assert ledger.balance(wallet) == 0
    assert ledger.take_pending("REF") == pending
    with pytest.raises(LedgerError):
        ledger.take_pending("REF")
