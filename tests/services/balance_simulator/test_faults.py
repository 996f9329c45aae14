"""Which faults are armed, and how they are used up."""

import pytest

from balance_simulator.faults import ARGUMENTS, Fault, FaultError, Faults


def test_counted_fault_is_used_up():
    """A fault with a count of two is met twice."""
    faults = Faults()
    faults.arm("gap", {"count": 2}, 0)
    met = [faults.take(Fault.GAP) is not None for _ in range(3)]
    assert met == [True, True, False]
    assert faults.used == {"gap": 2}


def test_lasting_fault_ends_with_its_time():
    """Maintenance of two seconds is over after two seconds."""
    faults = Faults()
    faults.arm("maintenance", {"seconds": 2}, 0)
    assert faults.active(Fault.MAINTENANCE, 1_999_999)
    assert faults.active(Fault.MAINTENANCE, 2_000_000) is None


def test_endpoint_and_side_are_respected():
    """A fault for one endpoint waits until that endpoint is called."""
    faults = Faults()
    faults.arm("html", {"endpoint": "Ledgers"}, 0)
    faults.arm("truncate", {"to": "rest"}, 0)
    assert faults.take(Fault.HTML, endpoint="Balance") is None
    assert faults.take(Fault.HTML, endpoint="Ledgers")
    assert faults.take(Fault.TRUNCATE, to="stream") is None
    assert faults.take(Fault.TRUNCATE, to="rest")


def test_clear_disarms_everything():
    """After clear nothing is armed."""
    faults = Faults()
    faults.arm("gap", {}, 0)
    faults.arm("clear", {}, 0)
    assert faults.armed == []


@pytest.mark.parametrize(("name", "arguments"), [("fire", {}), ("gap", {"size": 1})])
def test_wrong_requests_are_refused(name, arguments):
    """An unknown fault or argument is an error, not a silent nothing."""
    with pytest.raises(FaultError):
        Faults().arm(name, arguments, 0)


def test_every_fault_has_arguments():
    """Each name says what it takes, even if that is nothing."""
    assert set(Fault) == set(ARGUMENTS)


def test_meaningless_faults_are_refused():
    """A venue without nonces has no nonce to be wrong."""
    with pytest.raises(FaultError, match="no meaning"):
        Faults(meaningless=frozenset({Fault.NONCE})).arm("nonce", {}, 0)
