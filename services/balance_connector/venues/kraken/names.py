"""Asking Kraken for its asset names: the two calls of ``Assets`` and what they tell.

The names are asked for at the start, once a day, and soon after a code was met that is
not among them. Without an answer the tables at hand go on serving. A second answer with
internal codes is none: where ``assetVersion`` is not heeded, the join would rename the
balances to them.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from balance_connector.books import Holding
from balance_connector.names_due import NamesDue
from balance_connector.rows import UNREADABLE
from balance_connector.venue import Request, Response, Step
from balance_connector.venues.kraken.assets import LEGACY, AssetNames, join, named_part
from balance_connector.venues.kraken.refusals import result_of
from balance_shared.errors import FrameInvalid, VenueError

INTERNAL = Request("GET", "/0/public/Assets", "Assets")
DISPLAY = Request("GET", "/0/public/Assets?assetVersion=1", "Assets")


class _Asset(msgspec.Struct):
    altname: str


_assets = msgspec.json.Decoder(dict[str, _Asset])


def names_told(known: Collection[Holding]) -> dict[str, str]:
    """Return the names under which balances are known, for want of the venue's answer.

    A balance keeps its key while the venue does not say what its code is called.

    Returns:
        Code → asset, as of `join`.
    """
    names: dict[str, str] = {}
    for pocket in sorted(holding.pocket for holding in known):
        code, asset = pocket.venue_asset, pocket.asset
        names[named_part(code, asset, pocket.wallet, pocket.wallet_id)] = asset
    return names


class AskedNames:
    """The names as last told.

    Args:
        aliases: code → asset, set by the user.
        told: code → asset, what serves until the venue has answered.

    Attributes:
        answered: whether the venue has told its names.
    """

    def __init__(self, aliases: Mapping[str, str], told: Mapping[str, str]) -> None:
        self._aliases = aliases
        self.due = NamesDue()
        self._internal: dict[str, str] = {}
        self.table = AssetNames(aliases, told)
        self.answered = False

    def calls(self, now: datetime) -> list[Request]:
        """Return the calls that are due, in order; often none."""
        return [INTERNAL, DISPLAY] if self.due.is_due(now) else []

    def take(self, asked: Request, response: Response, received_at: datetime) -> Step:
        """Take in the answer to one of the calls. Never raises."""
        self.due.asked(received_at)
        try:
            result = result_of(response, "none", received_at.timestamp())
            answer = {
                name: asset.altname for name, asset in _assets.decode(result).items()
            }
        except FrameInvalid as error:
            return Step(invalid=error)
        except VenueError:
            return Step(keep=False)
        except UNREADABLE as error:
            return Step(invalid=FrameInvalid("invalid_names", str(error)))
        if asked is INTERNAL:
            self._internal = answer
        elif internal := sorted(answer.keys() & LEGACY.keys()):
            text = f"{internal[0]} is told as a display name"
            return Step(invalid=FrameInvalid("invalid_names", text))
        elif self._internal:
            self.table = AssetNames(self._aliases, join(self._internal, answer))
            self.due.learned(received_at)
            self.answered = True
        return Step()
