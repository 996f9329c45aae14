"""The cheapest traffic."""

from balance_simulator.bitfinex.pulse import Pulse


def test_rows_are_those_of_ordinary_updates(desk):
    """Each row tells the balance that the books have, also after other changes."""
    pulse, wallets = Pulse(desk.state), list(desk.venue.ledger)
    for turn in range(3 * len(wallets)):
        line, payload = pulse.step(desk.now_us)
        assert wallets[turn % len(wallets)] == line.entry.wallet
        code = line.entry.wallet.currency
        balance = format(line.balance.normalize(), "f")
        start = f'["{line.entry.wallet.type}","{code}",{balance},0,null,"'
        assert payload.startswith(start) or "e-" in payload
        assert line.balance == desk.venue.ledger.balance(line.entry.wallet)
        if turn == len(wallets) + 1:
            desk.venue.operate("deposit", {"asset": "LTC", "amount": "1"})
            desk.venue.operate("rename", {"asset": "ETH", "to": "ETH"})


def test_two_turns_leave_the_books_as_they_were(desk):
    """What comes in on one turn goes out on the next."""
    before = desk.venue.ledger.truth()
    pulse = Pulse(desk.state)
    for _ in range(2 * len(list(desk.venue.ledger))):
        pulse.step(desk.now_us)
    after = desk.venue.ledger.truth()
    assert before.keys() == after.keys()
    assert 60 == desk.venue.ledger.lines_written
