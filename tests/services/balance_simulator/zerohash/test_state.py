"""What a venue remembers at first."""

import pytest

from balance_simulator.faults import FaultError
from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.state import new_state


def test_platforms_have_keys_and_customers():
    """Each platform has a key of its own; customers are in its group."""
    state = new_state(ZeroHashSettings(accounts=2, subaccounts=1), 0)
    assert {
        "PLAT01": "PLAT01",
        "PLAT01C00001": "PLAT01",
        "PLAT01-2": "PLAT01-2",
        "PLAT01-2C00001": "PLAT01-2",
    } == state.groups
    assert {"simulated-key": "PLAT01", "simulated-key-2": "PLAT01-2"} == {
        key.key: key.owner for key in state.keys.keys.values()
    }
    held = {account.participant_code for account in state.ledger.records}
    assert set(state.groups) == held


def test_participants_are_found_by_code_number_or_nothing():
    """The first is meant where none is named, and an unknown one is an error."""
    state = new_state(ZeroHashSettings(subaccounts=1, funded=False), 0)
    assert ["PLAT01", "PLAT01C00001", "PLAT01C00001"] == [
        state.participant(name) for name in (None, 1, "PLAT01C00001")
    ]
    for name in ("nobody", 9):
        with pytest.raises(ValueError, match="no participant"):
            state.participant(name)
    with pytest.raises(ValueError, match="already"):
        state.add_customer("PLAT01", "PLAT01", 0)


def test_clock_can_be_put_wrong_for_a_time():
    """While the fault lasts, the venue's time is another."""
    state = new_state(ZeroHashSettings(), 0)
    state.faults.arm("clock_skew", {"by_s": -1.5, "seconds": 10}, 0)
    assert (-500_000, 10_000_000) == (
        state.time_us(1_000_000),
        state.time_us(10_000_000),
    )


@pytest.mark.parametrize(
    "name", ["nonce", "invalid_session", "lockout", "throttle", "restart"]
)
def test_faults_of_other_venues_are_refused(name):
    """There are neither nonces nor logins here."""
    state = new_state(ZeroHashSettings(), 0)
    with pytest.raises(FaultError, match="no meaning"):
        state.faults.arm(name, {}, 0)
