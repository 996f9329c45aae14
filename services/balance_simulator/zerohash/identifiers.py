"""Identifiers shaped as the venue's, drawn from one seeded source.

Accounts, movements, trades and requests have UUIDs (OpenAPI description); runs have
numbers. Whether run numbers grow is not documented, and samples contradict each other.
"""

import random

_FIRST_RUN = 94_080


class Identifiers:
    """Draws identifiers; equal seeds draw equal ones.

    Args:
        rng: the seeded source of everything drawn.
        runs_in_order: whether run numbers grow; otherwise neighbours change places.
    """

    def __init__(self, rng: random.Random, *, runs_in_order: bool = True) -> None:
        self._rng = rng
        self._runs = 0
        self._mask = 0 if runs_in_order else 7

    def uuid(self) -> str:
        """Return a random UUID: ``66f1bec3-7179-4517-9507-7dfc62965b70``."""
        text = f"{self._rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-9{text[17:20]}-{text[20:]}"

    def run_id(self) -> int:
        """Return the number of a new run."""
        self._runs += 1
        return _FIRST_RUN + (self._runs ^ self._mask)
