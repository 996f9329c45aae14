"""What a connector knew when an epoch began, kept with the epoch's first frame.

Frames alone do not tell which balances were known before the first of them, which
process spoke, or with which options. An opening does, in the attribute `OPENING` of the
frame with index 0, so that a replay needs nothing beside frames and events.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal

import msgspec

from balance_connector.books import Holding
from balance_schemas.decimals import plain
from balance_schemas.records import RawFrame
from balance_shared.errors import RecordInvalid

OPENING = "opening"
"""Attribute of a frame that begins an epoch."""

ASKED, STATUS, AFTER = "asked", "status", "after"
"""Further attributes of frames; see ``RawFrame.avsc``."""

OK = 200
"""HTTP status of an answer that does not tell its status."""


class Opening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known when an epoch began.

    Attributes:
        of: whose epoch: of a stream, of polls that own the balances, of polls beside a
            stream (witness), of a history.
        run: when the process began.
        losses: how often the process had dropped records on their way to the bus.
        read: whether the balances were read back from the bus for this epoch, or for
            one just before of which no frame was kept.
        known: digest of the balances that readers believed in; "" of a witness and of
            a history, which have none of their own.
        options: of the venue, as JSON.
        owed_since: of a stream: since when a process before this one left history
            untold; all balances count as changed by the first picture. None: it told
            everything.
        stretch: of a history: from when, until when, and the epoch of the stream whose
            picture ended it.
    """

    of: Literal["stream", "polls", "witness", "history"]
    run: datetime
    losses: int = 0
    read: bool = False
    known: str = ""
    owed_since: datetime | None = None
    options: msgspec.Raw = msgspec.Raw(b"{}")
    stretch: tuple[datetime, datetime, int] | None = None

    def written(self) -> str:
        """Return it as the value of the attribute."""
        return msgspec.json.encode(self).decode()


def opening_in(frame: RawFrame) -> Opening | None:
    """Return the opening that a frame carries, if it does.

    Raises:
        RecordInvalid: it is none that this release can read.
    """
    text = frame.attributes.get(OPENING)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Opening)
    except msgspec.MsgspecError as error:
        raise RecordInvalid(
            f"{frame.key} {frame.feed} epoch {frame.epoch}: opening: {error}"
        ) from error


def digest(known: Mapping[str, Holding]) -> str:
    """Return a text that is the same for the same balances, in whatever order."""
    lines = [
        f"{key}|{held.pocket.venue_asset}|{plain(held.balance)}|"
        f"{'?' if held.available is None else plain(held.available)}"
        for key, held in known.items()
    ]
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()
