"""A treasurer's desk: runs connectors beside a scripted venue and reads the bus."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any, Self

from independent.scripted_bitfinex import (
    API_KEY,
    API_SECRET,
    ScriptedBitfinex,
    ScriptedRest,
    digits,
)

from balance_connector.service import Connector, options_of
from balance_connector.venues import VENUES
from balance_schemas.codec import decode, frame
from balance_schemas.records import (
    BalanceEvent,
    ConnectorStatus,
    DeadLetter,
    RawFrame,
    Reconciliation,
    Record,
)
from balance_schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    FRAMES,
    LATEST,
    RECONCILIATIONS,
    STATUS,
    Topic,
)
from balance_shared.service import Parts
from balance_shared.settings import ConnectorSettings
from balance_shared.testing import InMemoryBus, InMemoryRecall


class Desk:
    """One account: venue, connector, and what lies on the bus.

    Args:
        venue: that plays a script.
        settings: of the connector, beside the key.
    """

    def __init__(self, venue: ScriptedBitfinex | None = None, **settings: Any) -> None:
        self.venue = venue or ScriptedBitfinex()
        self.bus = InMemoryBus()
        self._settings = {"feeds": "ws", "account": "main"} | settings
        self.task: asyncio.Task[None] | None = None
        self._decoded: dict[str, list[Any]] = {}

    def start(self) -> asyncio.Task[None]:
        """Start a connector process that knows only what is on the bus."""
        venue_row = VENUES["bitfinex"]
        settings = ConnectorSettings(
            api_key=API_KEY,
            api_secret=API_SECRET,
            ws_url="ws://s/ws/2",
            **self._settings,
        )
        connector = Connector(
            venue_row,
            settings,
            options_of(venue_row, settings),
            Parts(),
            self.bus,
            ScriptedRest(self.venue),
            InMemoryRecall(self.bus),
            self.venue.clock,
            self.venue.connect,
        )
        self.task = asyncio.create_task(connector.run())
        return self.task

    async def stop(self) -> None:
        """Stop it as by a signal."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})

    @asynccontextmanager
    async def open(self, state: str = "live"):
        """Run it for the context, from the time that it is in that state."""
        self.start()
        try:
            await self.until_state(state)
            yield self
        finally:
            await self.stop()

    def _read(self, topic: Topic, record_type: type[Record]) -> list[Any]:
        """Return the records of a topic; each is decoded once."""
        known = self._decoded.setdefault(topic.name, [])
        for record in self.bus.records[topic.name][len(known) :]:
            known.append(decode(record_type, frame(1, record.body)))
        return known

    async def rest(self, seconds: float = 1) -> Self:
        """Let time pass."""
        await self.venue.clock.sleep(seconds)
        return self

    async def until(self, met, seconds: float = 60) -> None:
        """Wait in virtual time until something is true."""
        until = self.venue.clock.monotonic() + seconds
        while not met():
            assert self.venue.clock.monotonic() < until, (self.states(), self.reason)
            await asyncio.sleep(0.05)

    async def until_state(self, state: str, seconds: float = 60) -> None:
        """Wait until the stream is in a state now."""
        await self.until(lambda: self.state == state, seconds)

    async def until_anew(self, count: int, seconds: float = 60) -> None:
        """Wait until the so-manieth connection is live."""
        await self.until(
            lambda: len(self.venue.connections) >= count and self.state == "live",
            seconds,
        )

    def statuses(self, feed: str = "ws") -> list[ConnectorStatus]:
        """Return what was said of a feed."""
        found = self._read(STATUS, ConnectorStatus)
        return [status for status in found if status.feed == feed]

    def states(self, feed: str = "ws") -> list[str]:
        """Return the states in order, repeats left out."""
        found: list[str] = []
        for status in self.statuses(feed):
            if status.state not in found[-1:]:
                found.append(status.state)
        return found

    @property
    def state(self) -> str:
        """The stream's state as last published."""
        return (self.states() or ["none"])[-1]

    @property
    def reason(self) -> str:
        """Why, in words."""
        found = self.statuses() or self.statuses("rest")
        return found[-1].reason if found else "nothing told"

    def events(self, *kinds: str) -> list[BalanceEvent]:
        """Return the events of some kinds, of all where none is named."""
        found = self._read(EVENTS, BalanceEvent)
        return [event for event in found if not kinds or event.kind in kinds]

    def told(self, *kinds: str) -> list[tuple[str, str, str, str | None]]:
        """Return place, asset, balance and available of events, in order."""
        return [
            (
                f"{event.wallet}/{event.wallet_id}",
                event.asset,
                digits(event.balance),
                digits(event.available),
            )
            for event in self.events(*kinds)
        ]

    def books(self) -> dict[str, str]:
        """Return what a reader of `latest` believes: place and asset to balance."""
        return {
            f"{event.wallet}/{event.wallet_id} {event.asset}": digits(event.balance)
            for event in self._read(LATEST, BalanceEvent)
        }

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters."""
        return self._read(DEAD_LETTERS, DeadLetter)

    def verdicts(self) -> list[Reconciliation]:
        """Return the comparisons."""
        return self._read(RECONCILIATIONS, Reconciliation)

    def frames(self) -> list[RawFrame]:
        """Return the frames that were kept."""
        return self._read(FRAMES, RawFrame)
