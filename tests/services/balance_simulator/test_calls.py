"""A broken front before the venue."""

import pytest

from balance_simulator.calls import Answer, Call, through_front
from balance_simulator.faults import Faults

_CALL = Call("POST", "/v2/auth/r/wallets", {})


def _answer(faults):
    return through_front(faults, _CALL, "<html>", lambda: Answer("[1,2,3]"))


@pytest.mark.parametrize(
    ("fault", "arguments", "expected"),
    [
        ("html", {"status": 502}, Answer("<html>", 502, "text/html")),
        ("raw", {"to": "rest", "text": "?", "status": 418}, Answer("?", 418)),
        ("truncate", {"to": "rest"}, Answer("[1,")),
        ("delay", {"seconds": 2}, Answer("[1,2,3]", delay_s=2.0)),
    ],
)
def test_each_fault_is_met_once(fault, arguments, expected):
    """The first call meets the fault, the second the venue."""
    faults = Faults()
    faults.arm(fault, {"endpoint": "wallets", **arguments}, 0)
    assert expected == _answer(faults)
    assert Answer("[1,2,3]") == _answer(faults)
