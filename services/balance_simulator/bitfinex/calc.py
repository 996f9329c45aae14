"""Requests for calculated values: ``[0,"calc",null,[["wallet_exchange_BTC"],…]]``.

Source: page "ws-auth-input-calc": 30 in a batch, 8 calculations a second and client;
abuse gives an error, and possibly a disconnect. How the two limits combine is not said:
here both hold at once.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from balance_simulator.bitfinex.auth import BAD_PARAMETER, RefusedError
from balance_simulator.exact import MICROSECONDS

_POSITIONS = 4
_WALLET_PARTS = 3


def calc_names(frame: Sequence[Any]) -> list[str]:
    """Return the names that a request asks for.

    Raises:
        RefusedError: it is not a list of lists of one name each.
    """
    asked = frame[3] if len(frame) >= _POSITIONS else None
    if not isinstance(asked, list) or not asked:
        raise RefusedError(BAD_PARAMETER, "calc: invalid")
    names = []
    for item in asked:
        if not (isinstance(item, list) and len(item) == 1 and isinstance(item[0], str)):
            raise RefusedError(BAD_PARAMETER, "calc: invalid")
        names.append(item[0])
    return names


def wallet_of(name: str) -> tuple[str, str] | None:
    """Return wallet type and code of ``wallet_exchange_BTC``; None of other names."""
    parts = name.split("_", 2)
    if len(parts) != _WALLET_PARTS or parts[0] != "wallet":
        return None
    return parts[1], parts[2]


@dataclass(slots=True)
class CalcBudget:
    """What one client may still have calculated.

    Attributes:
        batch_max: names in one request.
        per_s: names in any second.
        peak: most names that any second saw, refused ones included.
        refused: requests over a limit.
    """

    batch_max: int
    per_s: int
    peak: int = 0
    refused: int = 0
    _times: deque[int] = field(default_factory=deque)

    def take(self, names: int, now_us: int) -> bool:
        """Count a request; tell whether it is within both limits."""
        while self._times and now_us - self._times[0] >= MICROSECONDS:
            self._times.popleft()
        self.peak = max(self.peak, len(self._times) + names)
        if names > self.batch_max or len(self._times) + names > self.per_s:
            self.refused += 1
            return False
        self._times.extend([now_us] * names)
        return True
