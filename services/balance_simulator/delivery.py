"""How update frames fare on their way to the subscribers: common to all venues.

A frame that is dropped, cut or held back was numbered before, so that the numbers count
on over it. Pure: no sockets and no clock.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from balance_simulator.faults import Fault, Faults


class Delivery(Enum):
    """What happens to one update frame on its way to the subscribers."""

    WHOLE = auto()
    DROPPED = auto()
    CUT = auto()
    HELD = auto()


@dataclass(slots=True)
class Outlet:
    """One client's way out for frames that may go astray.

    Attributes:
        held: frames kept back to be told after the next one.
        last_text: the last update or snapshot told, for duplicates.
    """

    held: list[str] = field(default_factory=list)
    last_text: str = ""

    def pass_on(self, text: str, delivery: Delivery) -> list[str]:
        """Return what reaches the client now that a frame is on its way to it."""
        if delivery is Delivery.DROPPED:
            return []
        if delivery is Delivery.HELD:
            self.held.append(text)
            return []
        self.last_text = text
        if delivery is Delivery.CUT:
            text = text[: len(text) * 2 // 3]
        told = [text, *self.held]
        self.held.clear()
        return told


def next_delivery(faults: Faults, *, holding: bool) -> Delivery:
    """Choose how the next update frame fares, using up armed faults.

    Args:
        faults: what is armed.
        holding: whether a frame is held back already; no second one is.
    """
    if faults.take(Fault.GAP):
        return Delivery.DROPPED
    if faults.take(Fault.TRUNCATE, to="stream"):
        return Delivery.CUT
    if not holding and faults.take(Fault.REORDER):
        return Delivery.HELD
    return Delivery.WHOLE
