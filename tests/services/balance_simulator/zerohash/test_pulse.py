"""Load traffic."""

import pytest

from balance_simulator.zerohash.pulse import Pulse
from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.state import new_state


def test_two_rounds_leave_the_books_as_they_were():
    """Each account goes up in one round and down in the next."""
    state = new_state(ZeroHashSettings(), 0)
    before = state.ledger.truth()
    pulse = Pulse(state, ["PLAT01"])
    first = pulse.step(0)
    seen = {first.changes[0].account}
    while (run := pulse.step(0)).changes[0].account not in seen:
        seen.add(run.changes[0].account)
    assert "withdrawal" == run.run_type
    for _ in range(len(seen) - 1):
        pulse.step(0)
    told = {name: set(kinds) for name, kinds in before["PLAT01/PLAT01/general"].items()}
    assert sum("available" in kinds for kinds in told.values()) == len(seen)
    assert before == state.ledger.truth()


def test_nobody_has_no_pulse():
    """Without an account there is nothing to move."""
    state = new_state(ZeroHashSettings(funded=False), 0)
    with pytest.raises(ValueError, match="no available account"):
        Pulse(state, ["PLAT01"])
