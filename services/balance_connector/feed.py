"""What every runner needs of one feed: the venue, the way to it, the way to the bus."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from balance_connector.memory import Memory
from balance_connector.opening import Opening, digest
from balance_connector.outbox import Outbox
from balance_connector.rest import Nonces, RestClient
from balance_connector.status import Board
from balance_connector.tell import Teller
from balance_connector.venue import Credentials, Venue
from balance_shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed of one account.

    Attributes:
        venue: which venue.
        credentials: the API key.
        options: the venue's own options.
        rest: the way to the venue's REST API.
        nonces: of the API key.
        memory: what readers of the bus believe in, and epochs.
        teller: tells the bus.
        outbox: the hand-over behind it.
        board: the feed's status.
        clock: time.
    """

    venue: Venue
    credentials: Credentials
    options: Any
    rest: RestClient
    nonces: Nonces
    memory: Memory
    teller: Teller
    outbox: Outbox
    board: Board
    clock: Clock

    def opening(
        self,
        of: Literal["stream", "polls", "witness", "history"],
        stretch: tuple[datetime, datetime, int] | None = None,
    ) -> Opening:
        """Return what is known as an epoch begins; see `Opening`."""
        owns = of in {"stream", "polls"}
        return Opening(
            of=of,
            run=self.outbox.began_at,
            losses=self.outbox.losses,
            read=owns and self.memory.read_anew,
            known=digest(self.memory.balances) if owns else "",
            owed_since=self.memory.owed_since if owns else None,
            options=msgspec.Raw(msgspec.json.encode(self.options)),
            stretch=stretch,
        )
