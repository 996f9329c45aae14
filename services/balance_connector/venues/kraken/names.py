"""Asking Kraken for its asset names: the two calls of ``Assets`` and what they tell.

The names are asked for at the start, once a day, and soon after a code was met that is
not among them. Without an answer the tables at hand go on serving.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from balance_connector.rows import UNREADABLE
from balance_connector.venue import Request, Response, Step
from balance_connector.venues.kraken.assets import AssetNames, join
from balance_connector.venues.kraken.refusals import result_of
from balance_shared.errors import FrameInvalid, VenueError

_AGE_MAX = timedelta(days=1)
_RETRY = timedelta(minutes=10)

INTERNAL = Request("GET", "/0/public/Assets", "Assets")
DISPLAY = Request("GET", "/0/public/Assets?assetVersion=1", "Assets")


class _Asset(msgspec.Struct):
    altname: str


_assets = msgspec.json.Decoder(dict[str, _Asset])


class AskedNames:
    """The names as last told.

    Args:
        aliases: code → asset, set by the user.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._aliases = aliases
        self._due_at: datetime | None = None
        self._internal: dict[str, str] = {}
        self._unmapped: set[str] = set()
        self.table = AssetNames(aliases)

    def calls(self, now: datetime) -> list[Request]:
        """Return the calls that are due, in order; often none."""
        due = self._due_at is None or now >= self._due_at
        return [INTERNAL, DISPLAY] if due else []

    def take(self, asked: Request, response: Response, received_at: datetime) -> Step:
        """Take in the answer to one of the calls. Never raises."""
        self._due_at = received_at + _RETRY
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
        elif self._internal:
            self.table = AssetNames(self._aliases, join(self._internal, answer))
            self._due_at = received_at + _AGE_MAX
            self._unmapped.clear()
        return Step()

    def is_new_unknown(self, code: str, now: datetime) -> bool:
        """Note a code that no table knows; whether it is the first time."""
        if code in self._unmapped:
            return False
        self._unmapped.add(code)
        soon = now + _RETRY
        self._due_at = min(self._due_at or soon, soon)
        return True
