"""What sockets and sessions ask of one another."""

from balance_simulator.sessions import Goodbye


def test_goodbye_is_a_normal_closure_unless_said():
    """A wish to close without a code is code 1000 with no reason."""
    assert (1000, "") == Goodbye()
