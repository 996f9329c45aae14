"""Which misbehaviours are armed, for how often or how long: common to all venues.

Pure: times are arguments, in microseconds. A fault either counts down with each use, or
lasts until a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from balance_simulator.exact import MICROSECONDS


class FaultError(ValueError):
    """There is no such fault, or its arguments make no sense."""


class Fault(StrEnum):
    """The names of all faults, as the control interface takes them."""

    # Of the next update frames (`count`); the sequence counts on in each of them.
    GAP = "gap"
    TRUNCATE = "truncate"
    REORDER = "reorder"
    DUPLICATE = "duplicate"
    # Of the connections.
    SILENCE = "silence"
    HALF_OPEN = "half_open"
    CLOSE = "close"
    RESTART = "restart"
    REFUSE_CONNECTIONS = "refuse_connections"
    SLOW_SNAPSHOT = "slow_snapshot"
    # Of subscribing.
    INVALID_SESSION = "invalid_session"
    PERMISSION_DENIED = "permission_denied"
    UNANSWERED = "unanswered"
    LAPSE = "lapse"
    # Of what only shows that the venue is there: no heartbeats, no pongs.
    MUTE = "mute"
    # Of the answers to other requests on a stream.
    ANSWER_LOST = "answer_lost"
    ANSWER_LATE = "answer_late"
    # Of the REST calls (`count`, optionally `endpoint`).
    HTML = "html"
    NONCE = "nonce"
    THROTTLE = "throttle"
    RATE_LIMIT = "rate_limit"
    LOCKOUT = "lockout"
    ERROR = "error"
    DELAY = "delay"
    # Of both.
    RAW = "raw"
    MAINTENANCE = "maintenance"
    FORBIDDEN = "forbidden"
    CLOCK_SKEW = "clock_skew"
    # Of figures: `text` in place of a balance in an `update`, a `snapshot` or `rest`.
    FIGURE = "figure"
    # Of an answer in pages: the books change between two of them.
    TORN = "torn"
    # The end of all.
    CLEAR = "clear"


# What each fault takes besides its name, with the value when it is left out.
ARGUMENTS: Mapping[Fault, Mapping[str, Any]] = {
    Fault.GAP: {"count": 1},
    Fault.TRUNCATE: {"count": 1, "to": "stream", "endpoint": ""},
    Fault.REORDER: {"count": 1},
    Fault.DUPLICATE: {},
    Fault.SILENCE: {"seconds": 10, "lose": False},
    Fault.HALF_OPEN: {},
    Fault.CLOSE: {"code": 1001, "reason": "", "abort": False},
    Fault.RESTART: {"code": 1012, "close": True},
    Fault.REFUSE_CONNECTIONS: {"seconds": 5, "status": 503},
    Fault.SLOW_SNAPSHOT: {"seconds": 5, "count": 1},
    Fault.INVALID_SESSION: {"count": 1},
    Fault.PERMISSION_DENIED: {"count": 1, "to": "stream", "endpoint": ""},
    Fault.UNANSWERED: {"count": 1},
    Fault.LAPSE: {},
    Fault.MUTE: {"seconds": 60},
    Fault.ANSWER_LOST: {"count": 1},
    Fault.ANSWER_LATE: {"count": 1, "seconds": 5},
    Fault.HTML: {"status": 520, "count": 1, "endpoint": ""},
    Fault.NONCE: {"count": 1, "endpoint": ""},
    Fault.THROTTLE: {"count": 1, "seconds": 5, "endpoint": ""},
    Fault.RATE_LIMIT: {"count": 1, "endpoint": ""},
    Fault.LOCKOUT: {"seconds": 900},
    Fault.ERROR: {
        "count": 1,
        "text": "EGeneral:Internal error",
        "endpoint": "",
        "status": 500,
    },
    Fault.DELAY: {"count": 1, "seconds": 1, "endpoint": ""},
    Fault.RAW: {
        "text": "",
        "to": "stream",
        "count": 1,
        "endpoint": "",
        "status": 200,
        "numbered": False,
    },
    Fault.MAINTENANCE: {"seconds": 5},
    Fault.FORBIDDEN: {"seconds": 5, "html": True},
    Fault.CLOCK_SKEW: {"by_s": 120, "seconds": 600},
    Fault.FIGURE: {"text": "NaN", "to": "update", "count": 1},
    Fault.TORN: {"count": 1},
    Fault.CLEAR: {},
}


@dataclass(slots=True)
class Armed:
    """One fault in wait.

    Attributes:
        fault: which.
        arguments: its arguments, all filled in.
        left: uses left, or None for one that lasts until a time.
        until_us: when it ends, or None for one that is counted.
    """

    fault: Fault
    arguments: Mapping[str, Any]
    left: int | None = None
    until_us: int | None = None


@dataclass(slots=True)
class Faults:
    """All armed faults of one venue, and how often each was used.

    Attributes:
        armed: those in wait, in the order in which they were asked for.
        used: fault → times used.
        meaningless: faults that cannot happen at this venue; asking for one is wrong.
    """

    armed: list[Armed] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    meaningless: frozenset[Fault] = frozenset()

    def arm(self, name: str, arguments: Mapping[str, Any], now_us: int) -> Armed:
        """Arm a fault.

        Raises:
            FaultError: when the name or an argument is unknown.
        """
        fault, filled = read_fault(name, arguments)
        if fault in self.meaningless:
            raise FaultError(f"fault {name} has no meaning at this venue")
        armed = Armed(fault, filled)
        if "count" in filled:
            armed.left = int(filled["count"])
        elif "seconds" in filled:
            armed.until_us = now_us + int(float(filled["seconds"]) * MICROSECONDS)
        if fault is Fault.CLEAR:
            self.armed.clear()
        elif armed.left is not None or armed.until_us is not None:
            self.armed.append(armed)
        return armed

    def active(self, fault: Fault, now_us: int) -> Armed | None:
        """Return a fault that lasts until a time, while it does."""
        for armed in self.armed:
            if armed.fault is fault and (armed.until_us or 0) > now_us:
                return armed
        return None

    def is_mute(self, now_us: int) -> bool:
        """Whether nothing is sent that only shows that the venue is there."""
        return self.active(Fault.MUTE, now_us) is not None

    def take(self, fault: Fault, to: str = "", endpoint: str = "") -> Armed | None:
        """Use a counted fault once, if one is armed for this place.

        Args:
            fault: which.
            to: ``stream`` or ``rest``, for faults that exist in both.
            endpoint: the last word of the path called; armed faults with another
                endpoint wait on.
        """
        for armed in self.armed:
            if armed.fault is not fault or not armed.left:
                continue
            if to and armed.arguments.get("to", to) != to:
                continue
            if armed.arguments.get("endpoint") not in {None, "", endpoint}:
                continue
            armed.left -= 1
            if not armed.left:
                self.armed.remove(armed)
            self.used[fault] = self.used.get(fault, 0) + 1
            return armed
        return None


def read_fault(name: str, arguments: Mapping[str, Any]) -> tuple[Fault, dict[str, Any]]:
    """Check a fault's name and arguments and fill in what was left out."""
    try:
        fault = Fault(name)
        known = ARGUMENTS[fault]
    except (ValueError, KeyError):
        raise FaultError(
            f"no fault {name!r}; there are: {', '.join(ARGUMENTS)}"
        ) from None
    unknown = set(arguments) - set(known)
    if unknown:
        raise FaultError(
            f"fault {name} does not take {', '.join(sorted(unknown))}; "
            f"it takes: {', '.join(known) or 'nothing'}"
        )
    return fault, {**known, **arguments}
