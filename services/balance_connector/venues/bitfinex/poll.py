"""REST polls: ``wallets``, with the currency maps for the names (rest-auth-wallets).

Each answer is the whole account, in the arrays of the stream. An account without
wallets is an empty list. What is available is usually told here, and may be null.

Until the venue has told the names of its codes, those serve under which the balances
are known: a balance keeps its key through a restart.
"""

from collections.abc import Collection
from datetime import datetime

from balance_connector.books import Holding
from balance_connector.rows import invalid_of
from balance_connector.venue import (
    Credentials,
    Note,
    Picture,
    Request,
    Response,
    Step,
    unusable,
)
from balance_connector.venues.bitfinex.auth import private_call
from balance_connector.venues.bitfinex.events import WALLETS_PERMISSION
from balance_connector.venues.bitfinex.names import AskedNames, maps_told
from balance_connector.venues.bitfinex.observing import read_list, spared_of
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.refusals import rows_of
from balance_connector.venues.bitfinex.wire import read_elements
from balance_shared.errors import VenueError


class BitfinexPoll:
    """Protocol of the polls; see `balance_connector.venue.PollProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: BitfinexOptions,
        known: Collection[Holding] = (),
    ) -> None:
        self._credentials = credentials
        self._names = AskedNames(options.aliases, maps_told(known))
        self._pending: list[Request | None] = []
        self._asked: Request | None = None

    def begin(self, now: datetime) -> None:
        """Start a round: the names where they are due, then the balances."""
        self._pending = [*self._names.calls(now), None]

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call of this round."""
        if not self._pending:
            return None
        self._asked = self._pending.pop(0)
        return self._asked or private_call(self._credentials, "wallets", nonce)

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request."""
        if self._asked is not None:
            return self._names.take(response, received_at)
        try:
            rows = read_elements(rows_of(response, WALLETS_PERMISSION))
        except VenueError as error:
            return unusable(error)
        names = self._names.table
        reading = read_list(rows, names)
        new = sum(
            self._names.due.is_new_unknown(code, received_at)
            for code in reading.unmapped
        )
        notes = (Note.UNMAPPED_ASSET,) * new
        return Step(
            picture=Picture(
                reading.observed, spared_of(reading.bad, names), reading.unmapped
            ),
            invalid=invalid_of(reading.bad),
            notes=notes + (Note.UNKNOWN_WORD,) * reading.unknown_words,
        )
