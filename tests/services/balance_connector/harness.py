"""One stream runner on fakes: scripted sockets, a bus in memory, a manual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from balance_connector.books import Account
from balance_connector.feed import Feed
from balance_connector.memory import Memory
from balance_connector.outbox import Entry, Outbox
from balance_connector.rest import Answer, Nonces
from balance_connector.status import Board, Counts
from balance_connector.stream import StreamRunner
from balance_connector.stretches import Stretches
from balance_connector.tell import Teller
from balance_connector.venue import Credentials, Response
from balance_connector.venues import VENUES
from balance_connector.venues.kraken.options import KrakenOptions
from balance_schemas.codec import encode_body
from balance_schemas.records import BalanceEvent, ConnectorStatus, DeadLetter, RawFrame
from balance_schemas.topics import DEAD_LETTERS, EVENTS, FRAMES, LATEST, STATUS
from balance_shared.errors import VenueUnavailable
from balance_shared.kafka import Outgoing
from balance_shared.testing import (
    InMemoryBus,
    InMemoryRecall,
    ManualClock,
    ScriptedSocket,
)

TOKEN = Response(200, b'{"error":[],"result":{"token":"T"}}')


class ScriptedRest:
    """Answers calls from a list, the last one for ever; raises what is an error."""

    def __init__(self, clock, *answers: Response | VenueUnavailable) -> None:
        self._clock = clock
        self._answers = list(answers)
        self.requests = []
        self.asked_at = []

    async def call(self, nonces, make):
        """Answer as `RestClient.call`."""
        async with nonces.lock:
            request = make(nonces.next(), self._clock.now())
        if request is None:
            return None
        self.requests.append(request)
        self.asked_at.append(self._clock.now())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, VenueUnavailable):
            raise answer
        return Answer(request, answer, self._clock.now())


class Bench:
    """A runner with everything around it."""

    def __init__(
        self,
        *sockets: ScriptedSocket,
        rest=(TOKEN,),
        options=None,
        connect_interval_s=0.0,
    ) -> None:
        self.interval_s = connect_interval_s
        self.clock = ManualClock()
        self.bus = InMemoryBus()
        self.recall = InMemoryRecall(self.bus)
        self.rest = ScriptedRest(self.clock, *rest)
        self.sockets = list(sockets)
        self.open: list[ScriptedSocket] = []
        self.connects = 0
        self.account = Account("kraken", "main")
        self.options = options or KrakenOptions()
        self.stretches = Stretches()
        self.board = self.board_of("ws")
        counts = Counts(("kraken", "main", "ws"))
        self.outbox = Outbox(self.bus, self.clock, counts, lambda _reason: None)
        self.runner = StreamRunner(
            self.feed(self.board),
            "ws://scripted",
            self._connect,
            self.stretches,
        )

    def board_of(self, feed: str) -> Board:
        """Return the status of a feed."""
        owed = lambda: self.stretches.owed_since  # noqa: E731
        return Board(self.account, feed, self.clock, self._publish, owed)

    def feed(self, board: Board, rest=None) -> Feed:
        """Return a feed with everything around it."""
        return Feed(
            replace(VENUES["kraken"], connect_interval_s=self.interval_s),
            Credentials("key", "c2VjcmV0"),
            self.options,
            rest or self.rest,
            Nonces(self.clock, 1_000_000_000),
            Memory(self.recall, self.clock),
            Teller(self.account, board, self.outbox, self.clock),
            self.outbox,
            board,
            self.clock,
        )

    def _publish(self, status: ConnectorStatus) -> None:
        record = Outgoing(STATUS, "kraken|main", status.key, encode_body(status), 0)
        self.outbox.put(Entry([record], self.clock.monotonic(), is_status=True))

    @asynccontextmanager
    async def _connect(self, _url: str) -> AsyncIterator[ScriptedSocket]:
        self.connects += 1
        socket = self.sockets.pop(0) if self.sockets else ScriptedSocket()
        self.open.append(socket)
        try:
            yield socket
        finally:
            self.open.remove(socket)

    @asynccontextmanager
    async def running(self):
        """Run the stream and the hand-over while the context lasts."""
        tasks = [
            asyncio.create_task(self.runner.run()),
            asyncio.create_task(self.outbox.run()),
        ]
        try:
            await self.clock.advance(0)
            yield tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def also(self, running):
        """Run something more while the context lasts."""
        task = asyncio.create_task(running)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def events(self) -> list[BalanceEvent]:
        """Return what lies on events."""
        return self.bus.read(EVENTS, BalanceEvent)

    def latest(self) -> dict[str, str]:
        """Return key → balance as on latest."""
        found = self.bus.compacted(LATEST, BalanceEvent)
        return {key: f"{event.balance.normalize():f}" for key, event in found.items()}

    def frames(self) -> list[RawFrame]:
        """Return what lies on frames."""
        return self.bus.read(FRAMES, RawFrame)

    def letters(self) -> list[DeadLetter]:
        """Return what lies on dead-letters."""
        return self.bus.read(DEAD_LETTERS, DeadLetter)

    def states(self) -> list[str]:
        """Return the states as published, repetitions left out."""
        states: list[str] = []
        for status in self.bus.read(STATUS, ConnectorStatus):
            if not states or states[-1] != status.state:
                states.append(status.state)
        return states

    def reasons(self) -> list[str]:
        """Return the reasons of all statuses."""
        return [status.reason for status in self.bus.read(STATUS, ConnectorStatus)]
