"""Load traffic keeps the books right."""

import json
from collections import defaultdict
from decimal import Decimal

from balance_simulator.kraken import frames
from balance_simulator.kraken.pulse import Pulse
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state


def test_rows_chain_even_when_something_else_moves_the_wallet():
    """Each row follows from the one before it, and is what the slow way would write."""
    state = new_state(KrakenSettings(), 0)
    pulse = Pulse(state, list(state.ledger.users), "account")
    user = state.user(None)
    earn = state.operations.wallet(user, "BTC", ("earn", "liquid"))
    balances = defaultdict(Decimal, state.ledger._wallets)
    for turn in range(100):
        line, row = pulse.step(turn)
        wallet = line.entry.wallet
        balances[wallet] += line.entry.amount - line.entry.fee
        assert line.wallet_balance == balances[wallet] == state.ledger.balance(wallet)
        assert row == frames.update_row(
            line, state.assets, "account", with_user=False, rebased=True
        )
        if turn % 7 == 0:
            state.operations.reward(earn, Decimal("0.5"), turn)
    assert len({line.ledger_id for line in state.ledger.lines}) == len(
        state.ledger.lines
    )
    assert json.loads(row)["wallet_type"] == "spot"
