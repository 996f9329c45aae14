"""A whole connector against a whole stand-in venue, in memory and in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import TypeVar

from dialects import Dialect
from websockets.exceptions import InvalidStatus

from balance_connector.rest import RestClient
from balance_connector.service import Connector, options_of
from balance_connector.venue import Request, Response
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
from balance_shared.errors import VenueRefused, VenueUnavailable
from balance_shared.service import Parts
from balance_shared.settings import ConnectorSettings
from balance_shared.testing import InMemoryBus, InMemoryRecall, VirtualClock
from balance_simulator.loopback import Loopback

R = TypeVar("R", bound=Record)

POLL_S = 20.0
"""Seconds between two polls."""


class LoopbackRest(RestClient):
    """REST calls to a venue in memory."""

    def __init__(self, loopback: Loopback, clock: VirtualClock) -> None:
        super().__init__("http://loopback", clock)
        self._loopback = loopback

    async def send(self, request: Request) -> Response:
        """Send a request through the loopback."""
        headers = {"User-Agent": "tests", **request.headers}
        call = self._loopback.rest(request.method, request.path, headers, request.body)
        try:
            async with asyncio.timeout(10):
                status, body = await call
        except (TimeoutError, OSError) as error:
            raise VenueUnavailable(repr(error)) from error
        return Response(status, body)


class World:
    """One account of one venue, its connector, and what lies on the bus.

    Args:
        dialect: which venue, and how its truth is read.
        feeds: of the connector.
        seed: of the venue.
        settings: of the connector, beside what every test needs.
        choices: of the stand-in.
    """

    def __init__(
        self, dialect: Dialect, *, feeds="ws,rest", seed=1, settings=None, **choices
    ) -> None:
        self.dialect = dialect
        self.clock = VirtualClock()
        self.venue = dialect.stand_in(self._microseconds, seed=seed, **choices)
        self.bus = InMemoryBus()
        self.parts = Parts()
        self._loopback = Loopback(self.venue)
        self._row = VENUES[dialect.name]
        self._settings = ConnectorSettings(
            account="main",
            feeds=feeds,
            ws_url=f"ws://loopback{self.venue.stream_paths[0]}",
            **{"poll_interval_s": POLL_S}
            | dialect.credentials(self.venue)
            | (settings or {}),
        )
        self.task: asyncio.Task[None] | None = None
        self._processes = count()
        self._read: dict[str, list] = {}

    def _microseconds(self) -> int:
        now = self.clock.now()
        return int(now.timestamp()) * 1_000_000 + now.microsecond

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        """Run the connector while the context lasts; it ends as by a signal."""
        self.start()
        try:
            yield self
        finally:
            await self.stop()

    def start(self) -> None:
        """Start a connector process anew: it remembers only what is on the bus."""
        connector = Connector(
            self._row,
            self._settings,
            options_of(self._row, self._settings),
            self.parts,
            self.bus,
            LoopbackRest(self._loopback, self.clock),
            InMemoryRecall(self.bus),
            self.clock,
            self._connect,
            f"process-{next(self._processes)}",
        )
        self.task = asyncio.create_task(connector.run())

    async def stop(self) -> None:
        """End the connector as a signal does, and let it drain."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @asynccontextmanager
    async def _connect(self, url: str):
        try:
            socket = await self._loopback.connect(url)
        except (OSError, InvalidStatus) as error:
            raise VenueUnavailable(repr(error)) from error
        try:
            yield socket
        finally:
            await socket.close()

    async def until(self, met, what: str, seconds: float = 120.0) -> float:
        """Wait until something is true; return the virtual seconds that took."""
        started = self.clock.monotonic()
        while not met():
            waited = self.clock.monotonic() - started
            if self.task is not None and self.task.done():
                self.task.result()
            assert waited < seconds, f"not {what} after {waited:.0f} s: {self.told()}"
            await asyncio.sleep(0.05)
        return self.clock.monotonic() - started

    async def until_live(self, seconds: float = 120.0) -> float:
        """Wait until the primary feed is live; return the seconds that took."""
        return await self.until(lambda: self.state == "live", "live", seconds)

    @property
    def is_polled(self) -> bool:
        """Whether polls are the primary feed: they tell balances and no lines."""
        return self._settings.feeds[0] == "rest"

    def _records(self, topic: Topic, record_type: type[R]) -> list[R]:
        """Return the records of a topic; each is decoded once."""
        known = self._read.setdefault(topic.name, [])
        for record in self.bus.records[topic.name][len(known) :]:
            known.append(decode(record_type, frame(1, record.body)))
        return known

    def forget(self) -> None:
        """Read the topics anew: a test has taken records away."""
        self._read.clear()

    def statuses(self, feed: str | None = None) -> list[ConnectorStatus]:
        """Return what was published of a feed, of the primary one unless named."""
        feed = feed or self._settings.feeds[0]
        found = self._records(STATUS, ConnectorStatus)
        return [status for status in found if status.feed == feed]

    @property
    def state(self) -> str:
        """The primary feed's state as last published."""
        statuses = self.statuses()
        return statuses[-1].state if statuses else "none"

    async def until_state(
        self, *states: str, mark: int, seconds: float = 120.0
    ) -> float:
        """Wait until one of the states was published after the first `mark` statuses."""

        def met() -> bool:
            return any(status.state in states for status in self.statuses()[mark:])

        return await self.until(met, " or ".join(states), seconds)

    def told(self) -> str:
        """Say what the status is, for a failure's text."""
        return " < ".join(
            f"{status.state} ({status.reason[:120]})"
            for status in reversed(self.statuses()[-4:])
        )

    def events(self, *kinds: str) -> list[BalanceEvent]:
        """Return the events of some kinds, of all where none is named."""
        found = self._records(EVENTS, BalanceEvent)
        return [event for event in found if not kinds or event.kind in kinds]

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters."""
        return self._records(DEAD_LETTERS, DeadLetter)

    def frames(self) -> list[RawFrame]:
        """Return the frames."""
        return self._records(FRAMES, RawFrame)

    def reconciliations(self) -> list[Reconciliation]:
        """Return the comparisons of polls and stream."""
        return self._records(RECONCILIATIONS, Reconciliation)

    def books(self) -> dict[tuple[str, ...], Decimal]:
        """Return our current balances, zeros left out, by the venue's own words."""
        current = {event.key: event for event in self._records(LATEST, BalanceEvent)}
        return {
            self.dialect.pocket(event): event.balance
            for event in current.values()
            if event.balance
        }

    def polled(self) -> dict[tuple[str, ...], Decimal]:
        """Return our current balances as polls can tell them."""
        return self.dialect.polled(self.books())

    def truth(self) -> dict[tuple[str, ...], Decimal]:
        """Return the venue's balances in the same form."""
        return self.dialect.truth(self.venue)

    def wrong(self) -> dict[tuple[str, ...], tuple[Decimal | None, Decimal | None]]:
        """Return pocket → ours and the venue's balance, where they differ."""
        ours, theirs = self.books(), self.truth()
        if self.is_polled:
            ours, theirs = self.dialect.polled(ours), self.dialect.polled(theirs)
        return {
            pocket: (ours.get(pocket), theirs.get(pocket))
            for pocket in ours.keys() | theirs.keys()
            if ours.get(pocket) != theirs.get(pocket)
        }

    def is_right(self) -> bool:
        """Return whether the books are the venue's, as far as the feed can tell."""
        return not self.wrong()

    async def until_right(self, seconds: float = 60.0) -> float:
        """Wait until the books are the venue's; return the seconds that took."""
        return await self.until(self.is_right, "the venue's books", seconds)


def refused(world: World) -> VenueRefused:
    """Return the refusal that ended a connector."""
    error = world.task.exception()
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, VenueRefused)
    return error
