"""Frames that go astray on their way."""

from balance_simulator.delivery import Delivery, Outlet, next_delivery
from balance_simulator.faults import Faults


def test_frames_fare_as_chosen():
    """Dropped frames vanish, held ones follow the next, cut ones lose their end."""
    outlet = Outlet()
    assert [] == outlet.pass_on("one", Delivery.DROPPED)
    assert [] == outlet.pass_on("two", Delivery.HELD)
    assert ["three", "two"] == outlet.pass_on("three", Delivery.WHOLE)
    assert ["sevens"] == outlet.pass_on("sevensixx", Delivery.CUT)
    assert "sevensixx" == outlet.last_text


def test_armed_faults_choose():
    """Each armed fault is met once, and no second frame is held back."""
    faults = Faults()
    for name in ("gap", "truncate", "reorder", "reorder"):
        faults.arm(name, {}, 0)
    chosen = [next_delivery(faults, holding=False) for _ in range(3)]
    assert [Delivery.DROPPED, Delivery.CUT, Delivery.HELD] == chosen
    assert Delivery.WHOLE is next_delivery(faults, holding=True)
    assert Delivery.HELD is next_delivery(faults, holding=False)
