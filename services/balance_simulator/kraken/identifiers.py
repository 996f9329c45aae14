"""Identifiers shaped as the venue's, drawn from one seeded source.

Ledger ids and trade references have the 6-5-6 form of the page "Balances"
(``ADKKFF-WEA5A-CNUBHG``). References of newer deposits and withdrawals begin with
``FT`` and mix upper and lower case, so that nobody may change their case.
"""

import base64
import random
import string

_BASE32 = string.ascii_uppercase + "234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_USER = string.ascii_uppercase + string.digits


class Identifiers:
    """Draws identifiers; equal seeds draw equal ones.

    Args:
        rng: the seeded source of everything drawn.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def _six_five_six(self, first: str) -> str:
        # Written out, since load traffic draws tens of thousands of these a second.
        bits = self._rng.getrandbits(80)
        return (
            f"{first}{_PAIRS[bits & 1023]}{_PAIRS[bits >> 10 & 1023]}"
            f"{_BASE32[bits >> 20 & 31]}-{_PAIRS[bits >> 25 & 1023]}"
            f"{_PAIRS[bits >> 35 & 1023]}{_BASE32[bits >> 45 & 31]}-"
            f"{_PAIRS[bits >> 50 & 1023]}{_PAIRS[bits >> 60 & 1023]}"
            f"{_PAIRS[bits >> 70 & 1023]}"
        )

    def ledger_id(self) -> str:
        """Return the id of a new ledger line, such as ``LDKKFF-WEA5A-CNUBHG``."""
        return self._six_five_six("L")

    def trade_ref(self) -> str:
        """Return a reference that the legs of one trade share: ``TGBB7L-…``."""
        return self._six_five_six("T")

    def staking_ref(self) -> str:
        """Return a reference of a reward or a fee: ``STDKKF-…``."""
        return self._six_five_six("S")

    def transfer_ref(self) -> str:
        """Return a mixed-case reference such as ``FTBYaWb-BfahyMc2OmXHb8w2yL1awG``."""
        raw = self._rng.randbytes(21)
        text = base64.b64encode(raw, altchars=b"xY").decode()[:27]
        return f"FT{text[:5]}-{text[5:]}"

    def user_id(self) -> str:
        """Return an id of a user or sub-account, 16 long: ``AA96N74GCGEFN8KI``."""
        text = "".join(self._rng.choices(_USER, k=8))
        return f"AA{self._rng.randrange(10, 100)}N84G{text}"

    def token(self) -> str:
        """Return a WebSocket token: 43 letters of URL-safe base64."""
        raw = self._rng.randbytes(32)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def connection_id(self) -> int:
        """Return an unsigned 64-bit number above 2**63 - 1, as captured ones are."""
        return (1 << 63) | self._rng.getrandbits(63)
