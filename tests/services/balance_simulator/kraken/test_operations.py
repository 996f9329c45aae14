"""What each operation writes."""

from decimal import Decimal

import pytest

from balance_simulator.kraken.ledger import LedgerError
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state


@pytest.fixture
def operations():
    """Return operations on a venue with one user and empty books."""
    return new_state(KrakenSettings(funded=False), 0).operations


@pytest.fixture
def user(operations):
    """Return the one user."""
    return next(iter(operations.ledger.users))


def test_trade_is_two_legs_with_the_fee_on_the_quote(operations, user):
    """The venue's own example: sell 0.005 BTC at 26599.9, fee 0.26 %."""
    base, quote = operations.trade(
        user, "BTC", "USD", Decimal("-0.005"), Decimal("26599.9"), 5
    )
    assert (base.entry.amount, base.entry.fee) == (Decimal("-0.005"), 0)
    assert str(quote.entry.amount) == "132.9995"
    assert str(quote.entry.fee) == "0.3458"
    assert str(quote.wallet_balance) == "132.6537"
    assert base.entry.ref_id == quote.entry.ref_id
    assert base.at_us == quote.at_us == 5
    assert base.ledger_id != quote.ledger_id


def test_fee_in_credits_is_a_third_line(operations, user):
    """With fee credits the quote leg is free and KFEE pays."""
    lines = operations.trade(
        user, "BTC", "USD", Decimal(1), Decimal(100), 5, fee_in_credits=True
    )
    assert [line.entry.wallet.asset for line in lines] == ["XXBT", "ZUSD", "KFEE"]
    assert [str(line.entry.fee) for line in lines[1:]] == ["0.0000", "26.00"]
    assert lines[2].entry.amount == 0


def test_withdrawal_takes_its_fee_on_top(operations, user):
    """Amount and fee both leave the wallet."""
    wallet = operations.wallet(user, "USD")
    (line,) = operations.withdraw(wallet, Decimal(10), Decimal("0.5"), 5)
    assert str(line.entry.amount) == "-10.0000"
    assert str(line.wallet_balance) == "-10.5000"
    with pytest.raises(LedgerError):
        operations.withdraw(wallet, Decimal(0), Decimal(0), 5)
    with pytest.raises(LedgerError):
        operations.request_withdrawal(wallet, Decimal("0.00001"), Decimal(0))
    assert operations.ledger.pending == {}


def test_allocation_moves_under_one_reference(operations, user):
    """Both lines of an allocation share a reference and the account stays equal."""
    spot = operations.wallet(user, "BTC")
    operations.deposit(spot, Decimal(1), Decimal(0), 5)
    out, into = operations.allocate(spot, Decimal("0.25"), 6)
    assert out.entry.ref_id == into.entry.ref_id
    assert {out.entry.subtype, into.entry.subtype} == {"autoallocation"}
    assert [str(out.wallet_balance), str(into.wallet_balance)] == [
        "0.7500000000",
        "0.2500000000",
    ]
    assert into.account_balance == Decimal(1)
    back, _ = operations.allocate(spot, Decimal("-0.25"), 7)
    assert back.entry.subtype == "deallocation"
    assert back.wallet_balance == 1


def test_staking_moves_under_two_references(operations, user):
    """The old system's pair has two references and four subtypes."""
    spot = operations.wallet(user, "DOT")
    into = operations.stake(spot, Decimal(3), 5)
    back = operations.stake(spot, Decimal(-3), 6)
    assert [line.entry.subtype for line in (*into, *back)] == [
        "spottostaking",
        "stakingfromspot",
        "stakingtospot",
        "spotfromstaking",
    ]
    assert len({line.entry.ref_id for line in (*into, *back)}) == 4
    assert back[-1].account_balance == 0


def test_single_lines_carry_their_words(operations, user):
    """Reward, fee and adjustment each write one line."""
    earn = operations.wallet(user, "ETH", ("earn", "liquid"))
    (reward,) = operations.reward(earn, Decimal("0.1"), 5)
    (fee,) = operations.fee(operations.wallet(user, "KFEE"), Decimal("1.25"), 5)
    (odd,) = operations.adjust(earn, Decimal(1), 5, ("airdrop", "new", "airdrop"))
    assert (reward.entry.type, reward.entry.category) == ("reward", "staking-rewards")
    assert (fee.entry.amount, str(fee.wallet_balance)) == (0, "-1.25")
    assert (odd.entry.type, odd.entry.subtype) == ("airdrop", "new")
