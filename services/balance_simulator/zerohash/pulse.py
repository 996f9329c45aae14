"""Load traffic: the cheapest updates that keep the books right, for benchmarks.

Each available account in turn takes a deposit, and on its next turn a withdrawal of the
same amount; one movement, one account, one run.
"""

from collections.abc import Collection
from decimal import Decimal

from balance_simulator.exact import EXACT, unit
from balance_simulator.zerohash.ledger import Leg, Run
from balance_simulator.zerohash.operations import AVAILABLE
from balance_simulator.zerohash.state import State

_STEPS = Decimal(1234)


class Pulse:
    """Produces load traffic on all available accounts of some participants.

    Args:
        state: the venue.
        codes: whose accounts move.
    """

    def __init__(self, state: State, codes: Collection[str]) -> None:
        wanted = set(codes)
        self._state = state
        self._legs = [
            tuple(
                Leg(account, EXACT.multiply(_STEPS * sign, step), kind, "")
                for sign, kind in ((1, "deposit"), (-1, "withdrawal"))
            )
            for account in state.ledger.records
            if account.account_type == AVAILABLE and account.participant_code in wanted
            for step in [unit(state.assets[account.asset].decimals)]
        ]
        if not self._legs:
            raise ValueError("these participants have no available account")
        self._turn = 0

    def step(self, at_us: int) -> Run:
        """Write one run that touches one account."""
        round_number, position = divmod(self._turn, len(self._legs))
        self._turn += 1
        account, change, kind, _, _ = self._legs[position][round_number % 2]
        leg = Leg(account, change, kind, self._state.identifiers.uuid())
        return self._state.ledger.post(kind, (leg,), at_us)
