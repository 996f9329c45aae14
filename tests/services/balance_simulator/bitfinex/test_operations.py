"""What can happen to the account."""

from decimal import Decimal

import pytest

from balance_simulator.bitfinex.ledger import LedgerError


def _told(desk, name, **arguments):
    lines = desk.venue.operate(name, arguments)["lines"]
    return [(line["asset"], line["wallet"], line["amount"]) for line in lines]


def test_trade_is_two_legs_and_a_fee_of_what_was_received(desk):
    """Buying takes the fee in the base, selling in the quote, each its own line."""
    buy = {"base": "BTC", "quote": "USD", "volume": "0.01", "price": "7804.6"}
    bought = desk.venue.operate("trade", buy)["lines"]
    assert ["BTC", "USD", "BTC"] == [line["asset"] for line in bought]
    assert ["0.01", "-78.046", "-0.00002"] == [
        format(Decimal(line["amount"]).normalize(), "f") for line in bought
    ]
    assert "Exchange 0.01 BTC for USD @ 7804.6" == bought[0]["description"]
    assert bought[2]["description"].startswith("Trading fees for 0.01 BTC (BTCUSD)")
    sold = desk.venue.operate("trade", buy | {"volume": "-0.01"})["lines"]
    assert ["BTC", "USD", "USD"] == [line["asset"] for line in sold]
    free = desk.venue.operate("trade", buy | {"fee_rate": "0"})["lines"]
    assert 2 == len(free)


def test_collateral_changes_currency_and_wallet(desk):
    """UST of the exchange wallet becomes USTF0 of the margin wallet, and back."""
    assert [("UST", "exchange", "-5"), ("USTF0", "margin", "5")] == _told(
        desk, "collateral", amount="5"
    )
    assert [("USTF0", "margin", "-5"), ("UST", "exchange", "5")] == _told(
        desk, "collateral", amount="-5"
    )


def test_transfer_moves_between_wallets(desk):
    """What leaves one wallet arrives in the other."""
    arguments = {"asset": "USD", "from": "exchange", "to": "funding", "amount": "10"}
    lines = desk.venue.operate("transfer", arguments)["lines"]
    assert ["-10", "10"] == [line["amount"] for line in lines]
    assert (
        "Transfer of 10 USD from wallet Exchange to Funding"
        == (lines[0]["description"])
    )


def test_fees_of_money_in_and_out_are_lines_of_their_own(desk):
    """A withdrawal with a fee is two lines, a deposit without one is one."""
    assert [("BTC", "exchange", "-1"), ("BTC", "exchange", "-0.0004")] == _told(
        desk, "withdrawal", asset="BTC", amount="1", fee="0.0004"
    )
    assert [("BTC", "exchange", "1")] == _told(desk, "deposit", asset="BTC", amount="1")
    assert 2 == len(_told(desk, "deposit", asset="BTC", amount="1", fee="0.1"))


@pytest.mark.parametrize("name", ["withdrawal", "transfer"])
def test_less_than_nothing_is_not_moved(desk, name):
    """A negative amount is refused, and nothing is written."""
    before = desk.venue.truth()
    with pytest.raises(LedgerError, match="positive"):
        desk.venue.operate(name, {"asset": "USD", "amount": "-1"})
    assert before == desk.venue.truth()
