"""Rows of a venue's JSON read one by one: what every venue's reading has in common.

One bad row must not hide the others, and a field that we do not know is kept as text.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

import msgspec

from balance_shared.errors import FrameInvalid

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What reading a row may raise."""

NAMELESS = "?"
"""Stands for a row of which not even the balance's name can be read."""

ANY = "*"
"""Stands for all names: so much cannot be read that pictures are of no help."""

LISTED_MAX = 5
"""Most unreadable rows that a reason lists."""

TEXT_CHARS_MAX = 50_000
"""Most characters of a row's texts: what is told of it has to fit a record."""

MS_MIN = 10**12
"""Least number that is taken for milliseconds since 1970: the year 2001. No venue is
older, and no number of frames gets there; a time in seconds is below it."""

_to_json = msgspec.json.Encoder(decimal_format="number")


class BadRow(NamedTuple):
    """A row that cannot be read.

    Attributes:
        user: whose it is.
        asset: code; None if not even that can be read.
        error: why.
        wallet: the venue's word where the row is one wallet's.
    """

    user: str
    asset: str | None
    error: str
    wallet: str = ""


def invalid_of(bad: Sequence[BadRow]) -> FrameInvalid | None:
    """Return the error of a frame's unreadable rows, None if there are none."""
    if not bad:
        return None
    names = frozenset(_name(row) if row.asset else NAMELESS for row in bad)
    listed = "; ".join(
        f"{_place(row) if row.asset else 'a row without a name'}: {row.error[:200]}"
        for row in bad[:LISTED_MAX]
    )
    more = f" and {len(bad) - LISTED_MAX} more" if len(bad) > LISTED_MAX else ""
    return FrameInvalid("invalid_row", f"unreadable: {listed}{more}", names)


class Unread:
    """What cannot be read on one connection, and what follows from it.

    Args:
        tolerated: names for which no new picture is demanded; see `StreamFactory`.
    """

    def __init__(self, tolerated: frozenset[str]) -> None:
        self._tolerated = tolerated
        self._said: dict[frozenset[str], str] = {}

    @property
    def reason(self) -> str:
        """Why the feed is degraded: what the picture or an update since cannot tell."""
        said = list(self._said.values())
        more = f" and {len(said) - LISTED_MAX} more" if len(said) > LISTED_MAX else ""
        return "; ".join(said[:LISTED_MAX]) + more

    def pictured(self, invalid: FrameInvalid | None) -> FrameInvalid | None:
        """Return the demand of a picture with such rows; None: it serves as it is."""
        self._said.clear()
        return self._demand(invalid, self._tolerated)

    def updated(self, invalid: FrameInvalid | None) -> FrameInvalid | None:
        """Return the demand of an update; whose it is has to be known to go on."""
        return self._demand(invalid, self._tolerated - {NAMELESS})

    def _demand(
        self, invalid: FrameInvalid | None, tolerated: frozenset[str]
    ) -> FrameInvalid | None:
        if invalid is None:
            return None
        new = invalid.names - tolerated
        if NAMELESS in new or (new and ANY not in tolerated):
            return invalid
        self._said[invalid.names] = str(invalid)
        return None


def unread_of(bad: Sequence[BadRow]) -> frozenset[tuple[str, ...]] | None:
    """Return whose balances are not known, as `Books.picture` takes it."""
    if any(row.asset is None for row in bad):
        return None
    return frozenset((row.user, *filter(None, (row.wallet, row.asset))) for row in bad)


def _name(row: BadRow) -> str:
    wallet = f"{row.wallet}/" if row.wallet else ""
    return f"{row.user}|{wallet}{row.asset}"


def _place(row: BadRow) -> str:
    words = (row.user, row.wallet, row.asset) if row.wallet else (row.asset,)
    return " ".join(word[:40] for word in words if word)


def normalized(frame: bytes) -> bytes:
    """Return a frame with NaN and infinities as texts, so that the rest can be read.

    They are no JSON, yet one of them must not hide the other rows.
    """
    value = json.loads(
        frame, parse_float=Decimal, parse_int=Decimal, parse_constant=str
    )
    return _to_json.encode(value)


def decoded(decoder: msgspec.json.Decoder[T], frame: bytes) -> T:
    """Return a frame as the decoder's type, `normalized` where that is needed.

    Raises:
        UNREADABLE: it cannot be read so either; `msgspec.ValidationError` if it is JSON
            of another shape.
    """
    try:
        return decoder.decode(frame)
    except UNREADABLE:
        return decoder.decode(normalized(frame))


def text_of(raw: msgspec.Raw) -> str:
    """Return a text as it is, and anything else as the JSON that was sent."""
    body = bytes(raw)
    return msgspec.json.decode(body, type=str) if body[:1] == b'"' else body.decode()


def time_of(text: str | None) -> datetime | None:
    """Return the venue's time in UTC, or None where it cannot be read."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
