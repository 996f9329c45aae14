"""Asking Bitfinex for its currency codes: one public call and what it tells.

The codes are asked for at the start, once a day, and soon after one was met that no
list knows. Without an answer the tables at hand go on serving.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from balance_connector.books import Holding
from balance_connector.names_due import NamesDue
from balance_connector.rows import UNREADABLE
from balance_connector.venue import Request, Response, Step
from balance_connector.venues.bitfinex.assets import AssetNames, Maps
from balance_connector.venues.bitfinex.refusals import rows_of
from balance_shared.errors import FrameInvalid, VenueError

CONF = Request(
    "GET",
    "/v2/conf/pub:map:currency:sym,pub:map:currency:undl,pub:list:currency",
    "conf",
)
"""Usual symbols, underlyings of collateral, all codes (page "Configs")."""

T = TypeVar("T")

_PARTS = 3

_items = msgspec.json.Decoder(list[msgspec.Raw])
_pair = msgspec.json.Decoder(tuple[str, str])
_code = msgspec.json.Decoder(str)


def read_maps(response: Response) -> Maps:
    """Return what an answer to `CONF` tells: a list holding one list for each part.

    A pair or a code that cannot be read is left out.

    Raises:
        VenueRefused, VenueUnavailable: the answer is an error.
        FrameInvalid: it cannot be read.
    """
    parts = rows_of(response, "none")
    try:
        if len(parts) != _PARTS:
            raise ValueError(f"{len(parts)} parts where {_PARTS} were due")
        symbols, underlyings, codes = (_items.decode(part) for part in parts)
    except UNREADABLE as error:
        raise FrameInvalid("invalid_names", str(error)) from None
    return Maps(
        {code: name for code, name in _each(_pair, symbols) if code and name},
        {code: name for code, name in _each(_pair, underlyings) if code and name},
        frozenset(_each(_code, codes)),
    )


def _each(decoder: msgspec.json.Decoder[T], raws: list[msgspec.Raw]) -> Iterator[T]:
    for raw in raws:
        try:
            yield decoder.decode(raw)
        except UNREADABLE:
            continue


def maps_told(known: Collection[Holding]) -> Maps:
    """Return the names under which balances are known, for want of the venue's answer.

    A balance keeps its key while the venue does not say what its code is called.
    """
    pockets = sorted(holding.pocket for holding in known)
    symbols = {pocket.venue_asset: pocket.asset for pocket in pockets}
    underlyings = {
        pocket.venue_asset: pocket.asset
        for pocket in pockets
        if pocket.wallet == "derivatives"
    }
    return Maps(symbols, underlyings)


class AskedNames:
    """The names as last told.

    Args:
        aliases: code → asset, set by the user.
        maps: what serves until the venue has answered.

    Attributes:
        answered: whether the venue has told its names.
    """

    def __init__(self, aliases: Mapping[str, str], maps: Maps | None = None) -> None:
        self._aliases = aliases
        self.due = NamesDue()
        self.table = AssetNames(aliases, maps)
        self.answered = False

    def calls(self, now: datetime) -> list[Request]:
        """Return the call if it is due; often none."""
        return [CONF] if self.due.is_due(now) else []

    def take(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the call. Never raises."""
        self.due.asked(received_at)
        try:
            maps = read_maps(response)
        except FrameInvalid as error:
            return Step(invalid=error)
        except VenueError:
            return Step(keep=False)
        self.table = AssetNames(self._aliases, maps)
        self.due.learned(received_at)
        self.answered = True
        return Step()
