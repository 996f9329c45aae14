"""A connector that hears a scripted Zero Hash, and what it tells the bus."""

import asyncio
from contextlib import asynccontextmanager

from independent.scripted_zerohash import KEY, PASSPHRASE, SECRET, ScriptedVenue

from balance_connector.service import Connector, options_of
from balance_connector.venues import VENUES
from balance_schemas.codec import decode, frame
from balance_schemas.decimals import plain
from balance_schemas.records import (
    BalanceEvent,
    ConnectorStatus,
    DeadLetter,
    RawFrame,
    Reconciliation,
)
from balance_schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    FRAMES,
    LATEST,
    RECONCILIATIONS,
    STATUS,
)
from balance_shared.service import Parts
from balance_shared.settings import ConnectorSettings
from balance_shared.testing import (
    InMemoryBus,
    InMemoryRecall,
    VirtualClock,
    run_virtually,
)


def played(scenario):
    """Run a scenario in virtual time."""
    return run_virtually(scenario())


class Play:
    """One account of the scripted venue, its connector, and what it told the bus."""

    def __init__(self, name="zerohash", feeds="ws", **settings):
        self.name, self.clock = name, VirtualClock()
        prefix = "X-NDAX-" if name == "ndax" else "X-SCX-"
        self.venue = ScriptedVenue(self.clock, prefix)
        self.bus, self.parts = InMemoryBus(), Parts()
        self._known = {}
        self.settings = {
            "account": "main",
            "api_key": KEY,
            "api_secret": SECRET,
            "api_passphrase": PASSPHRASE,
            "ws_url": "ws://scripted",
            "feeds": feeds,
            "poll_interval_s": 30,
            **settings,
        }
        self.task = None

    def start(self, **settings):
        """Start a connector process that knows only what is on the bus."""
        self.settings |= settings
        chosen, found = ConnectorSettings(**self.settings), VENUES[self.name]
        connector = Connector(
            found,
            chosen,
            options_of(found, chosen),
            self.parts,
            self.bus,
            self.venue,
            InMemoryRecall(self.bus),
            self.clock,
            self.venue.connect,
        )
        self.task = asyncio.create_task(connector.run())

    async def stop(self):
        """End the process."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @asynccontextmanager
    async def live(self, *frames):
        """Run until the primary feed is live, and to the end of the context."""
        async with self.started():
            await self.until(lambda: self.state == "live")
            if frames:
                await self.hears(*frames)
            yield self

    @asynccontextmanager
    async def started(self):
        """Run to the end of the context; the client must have done nothing wrong."""
        self.start()
        try:
            yield self
        finally:
            await self.stop()
        assert self.venue.faults == []

    async def until(self, met, seconds=150):
        """Wait in virtual time."""
        for _ in range(int(seconds * 20)):
            if met():
                return
            if self.task.done():
                self.task.result()
            await asyncio.sleep(0.05)
        raise AssertionError(f"never: {[(s.state, s.reason) for s in self.statuses()]}")

    async def hears(self, *frames):
        """Have the connector told frames, and give it time to tell them further."""
        self.line.say(*frames)
        await asyncio.sleep(0.2)

    async def new_line(self):
        """Wait for one more connection that is live."""
        lines = len(self.venue.lines)
        await self.until(lambda: len(self.venue.lines) > lines)
        await self.until(lambda: self.state == "live")

    @property
    def line(self):
        """The connection of now."""
        return self.venue.lines[-1]

    def _read(self, topic, record_type):
        """Return the records of a topic; each is decoded once."""
        known = self._known.setdefault(topic.name, [])
        for record in self.bus.records[topic.name][len(known) :]:
            known.append(decode(record_type, frame(1, record.body)))
        return known

    def statuses(self, feed=None):
        """Return what was published of a feed, of the primary one unless named."""
        feed = feed or ("ws" if "ws" in self.settings["feeds"] else "rest")
        return [s for s in self._read(STATUS, ConnectorStatus) if s.feed == feed]

    @property
    def state(self):
        """The primary feed's last state."""
        return (self.statuses()[-1:] or [None])[0] and self.statuses()[-1].state

    @property
    def states(self):
        """The primary feed's states in order, repetitions left out."""
        found = [status.state for status in self.statuses()]
        return [s for i, s in enumerate(found) if i == 0 or found[i - 1] != s]

    def events(self, *kinds):
        """Return the events of some kinds, of all where none is named."""
        found = self._read(EVENTS, BalanceEvent)
        return [event for event in found if not kinds or event.kind in kinds]

    def letters(self):
        """Return the dead letters."""
        return self.bus.read(DEAD_LETTERS, DeadLetter)

    def frames(self):
        """Return the frames kept."""
        return self.bus.read(FRAMES, RawFrame)

    def verdicts(self):
        """Return the comparisons of polls and stream."""
        return self.bus.read(RECONCILIATIONS, Reconciliation)

    def books(self):
        """Return (wallet id, asset) → balance as text, of all who are not absent."""
        return {
            (event.wallet_id, event.asset): plain(event.balance)
            for event in self.bus.compacted(LATEST, BalanceEvent).values()
            if event.kind != "absent"
        }
