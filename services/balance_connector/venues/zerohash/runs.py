"""Which runs were told already, and which came too late.

Only account and run together name a fact, and only the times of runs order them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from balance_connector.books import Fact, Observed
from balance_connector.venues.zerohash import wire
from balance_connector.venues.zerohash.accounts import Key, key_of
from balance_schemas.keys import encode_part
from balance_shared.errors import PictureNeeded
from balance_shared.remembered import Remembered

RUNS_MAX = 20_000
"""Most runs of a connection that are remembered."""

_MILLISECOND = timedelta(milliseconds=1)


class Runs:
    """The runs of one connection.

    Args:
        account: account key, with which the ids of events begin.
        before: event id → fact: those that were told before the connection.
    """

    def __init__(self, account: str, before: Mapping[str, Fact]) -> None:
        self._account = account
        self._before = dict(before)
        self._told: Remembered[str, int] = Remembered(RUNS_MAX)
        self._last: dict[Key, datetime] = {}

    def repeats(self, update: wire.Update, row: Observed) -> bool:
        """Note a run; whether it was told before on this connection.

        Raises:
            PictureNeeded: it was, with other figures.
        """
        if row.venue_id is None:
            return False
        fact, content = self._event_id(row, row.venue_id), update.content
        before = self._told.get(fact)
        self._told.remember(fact, content)
        if before not in {None, content}:
            raise _changed(update, "again with other content")
        return before is not None

    def is_pictured(self, update: wire.Update, row: Observed) -> bool:
        """Whether it was told before the connection: then the picture is newer.

        Raises:
            PictureNeeded: it was, at another time as far as is known; histories tell
                milliseconds only.
        """
        before = self._before.get(self._event_id(row, row.venue_id or ""))
        if row.venue_id is None or before is None:
            return False
        if row.venue_time is None or abs(row.venue_time - before.at) >= _MILLISECOND:
            raise _changed(update, "before the picture, at another time")
        return True

    def is_overtaken(self, row: Observed) -> bool:
        """Note the time of a run; whether a newer one of its account was told.

        Times are written with 6 or 9 digits: only microseconds can be compared.
        """
        key, time = key_of(row.pocket), row.venue_time
        if time is None:
            return False
        last = self._last.get(key)
        if last is not None and time < last:
            return True
        self._last[key] = time
        return False

    def _event_id(self, row: Observed, venue_id: str) -> str:
        subaccount = encode_part(row.pocket.subaccount)
        return f"{self._account}|{subaccount}|{encode_part(venue_id)}"


def _changed(update: wire.Update, how: str) -> PictureNeeded:
    _, word, code = update.read.key
    return PictureNeeded(
        "run_changed", f"run {update.run_id} of {word} {code} was told {how}"
    )
