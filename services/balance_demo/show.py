"""The show: traffic, trouble, what one sees of it, and the verdict at the end."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import psycopg

from balance_demo import plays, standin
from balance_demo.board import Board
from balance_demo.books import Books, differences
from balance_demo.bus import Bus, Tables, connect
from balance_demo.children import Children
from balance_demo.output import Output
from balance_demo.plays import Incident, Play
from balance_demo.screen import Counts, Scene
from balance_demo.standin import StandIn
from balance_demo.summary import KAFKA, POSTGRESQL, Summary
from balance_schemas.records import BalanceEvent, ConnectorStatus
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

DRAW_EVERY_S = 0.25
COUNT_EVERY_S = 1.0
LOOK_EVERY_S = 0.3

SETTLE_S_MAX = 10.0
"""How long the books may take to come to rest after the traffic, in seconds."""

SETTLE_EVERY_S = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be shown.

    Attributes:
        duration_s: how long, in seconds; None until asked to stop.
        rate: updates a second of each venue.
        seed: of the traffic.
    """

    duration_s: float | None
    rate: float
    seed: int


@dataclass(frozen=True, slots=True)
class World:
    """What runs.

    Attributes:
        settings: where Kafka and the registry are.
        postgres_dsn: where PostgreSQL is.
        stand_ins: the venues.
        connectors: base URLs of the connectors.
        urls: name → address, for people.
        children: the processes.
        born_s: monotonic time of the start of the program, seconds.
    """

    settings: ServiceSettings
    postgres_dsn: str
    stand_ins: Sequence[StandIn]
    connectors: Sequence[str]
    urls: dict[str, str]
    children: Children
    born_s: float


@dataclass(slots=True)
class Show:
    """One run.

    Args:
        plan: what is to be shown.
        world: what runs.
        output: where to.
    """

    plan: Plan
    world: World
    output: Output
    board: Board = field(default_factory=Board)
    counts: Counts = field(default_factory=Counts)
    incidents: list[Incident] = field(default_factory=list)
    next_play: Play | None = None
    first_balance_s: float | None = None
    began_s: float = 0.0

    async def run(self) -> Summary:
        """Show everything and return what was found at the end.

        Raises:
            PartFailed: a process ended on its own; in an exception group.
            BusInterrupted: Kafka or the registry is gone; in an exception group.
        """
        async with self._connected() as (bus, tables, http):
            self.began_s = time.monotonic()
            async with _together(
                self._read(bus),
                self._watch(),
                self._count(tables, http),
            ):
                with self.output:
                    async with _together(self._draw(), self._play(http)):
                        await self._wait(http)
                self.output.tell("traffic has stopped; the books come to rest ...")
                return await self._settle(bus, tables, http)

    @asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[tuple[Bus, Tables, aiohttp.ClientSession]]:
        world = self.world
        accounts = [(one.venue.name, one.account) for one in world.stand_ins]
        async with (
            Registry(world.settings.schema_registry_url, SETTLE_S_MAX) as registry,
            await connect(world.postgres_dsn) as connection,
            standin.session() as http,
        ):
            bus = Bus(world.settings, registry, accounts)
            yield bus, Tables(connection, accounts), http

    async def _wait(self, http: aiohttp.ClientSession) -> None:
        """Let traffic run until the time is over or somebody wants to stop."""
        stop = _asked_to_stop()
        for one in self.world.stand_ins:
            await one.traffic(http, rate=self.plan.rate, seed=self.plan.seed)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.duration_s):
                await stop.wait()
        for one in self.world.stand_ins:
            await one.traffic(http, stop=True)

    async def _read(self, bus: Bus) -> None:
        async for news in bus.news():
            for record in news:
                if isinstance(record, BalanceEvent):
                    self.board.take_event(record)
                    if self.first_balance_s is None:
                        self.first_balance_s = time.monotonic() - self.world.born_s
                    continue
                self.board.take_status(record)
                if self.board.owns_balances(record):
                    self._follow(record)

    def _follow(self, status: ConnectorStatus) -> None:
        for incident in self.incidents:
            if incident.take(status):
                self.output.tell(incident.text())

    async def _play(self, http: aiohttp.ClientSession) -> None:
        for number, play in enumerate(plays.plan(self.plan.duration_s)):
            self.next_play = play
            await asyncio.sleep(self.began_s + play.at_s - time.monotonic())
            where = self.world.stand_ins[number % len(self.world.stand_ins)]
            incident = Incident(play, where.venue.name, datetime.now(UTC))
            self.incidents.append(incident)
            await where.play(http, play.fault, play.arguments)
            self.output.tell(incident.text())
            self.next_play = None

    async def _watch(self) -> None:
        while True:
            self.world.children.require_alive()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _count(self, tables: Tables, http: aiohttp.ClientSession) -> None:
        while True:
            # What ended is found out, and told better, by `_watch`.
            with suppress(aiohttp.ClientError, TimeoutError, psycopg.Error):
                await self._count_once(tables, http)
            await asyncio.sleep(COUNT_EVERY_S)

    async def _count_once(self, tables: Tables, http: aiohttp.ClientSession) -> None:
        found = [
            await standin.metrics(http, f"{url}/metrics")
            for url in self.world.connectors
        ]

        def total(name: str) -> int:
            return int(sum(one.get(f"balancebus_{name}_total", 0) for one in found))

        told, seconds = (
            sum(one.get(f"balancebus_venue_to_bus_seconds_{part}", 0) for one in found)
            for part in ("count", "sum")
        )
        self.counts = Counts(
            events=total("events_published"),
            gaps=total("sequence_gaps"),
            resyncs=total("reconnects"),
            dead_letters=total("dead_letters"),
            rows=await tables.events(),
            delay_ms=seconds / told * 1000 if told else None,
        )

    async def _draw(self) -> None:
        while True:
            self.output.show(self._scene())
            await asyncio.sleep(DRAW_EVERY_S)

    def _scene(self) -> Scene:
        return Scene(
            now=datetime.now(UTC),
            elapsed_s=time.monotonic() - self.began_s,
            duration_s=self.plan.duration_s,
            rows=self.board.rows(),
            feeds=self.board.feeds(),
            counts=self.counts,
            incidents=self.incidents,
            next_play=self.next_play,
            urls=self.world.urls,
        )

    async def _settle(
        self, bus: Bus, tables: Tables, http: aiohttp.ClientSession
    ) -> Summary:
        """Compare until all is well, or until it should have been."""
        until_s = time.monotonic() + SETTLE_S_MAX
        while True:
            summary = await self._compare(bus, tables, http)
            live = all(feed.state == "live" for feed in self.board.feeds())
            if (summary.equal and live) or time.monotonic() > until_s:
                await self._count_once(tables, http)
                return replace(summary, gaps=self.counts.gaps)
            await asyncio.sleep(SETTLE_EVERY_S)

    async def _compare(
        self, bus: Bus, tables: Tables, http: aiohttp.ClientSession
    ) -> Summary:
        truth: Books = {}
        for one in self.world.stand_ins:
            truth |= await one.books(http)
        told = await bus.told()
        return Summary(
            compared=len(truth),
            differences=(
                *differences(KAFKA, truth, await bus.books()),
                *differences(POSTGRESQL, truth, await tables.books()),
            ),
            events=told.events,
            repeated=told.events - len(told.ids),
            rows=await tables.events(),
            gaps=self.counts.gaps,
            incidents=tuple(self.incidents),
            first_balance_s=self.first_balance_s,
        )


@asynccontextmanager
async def _together(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines for ever beside the block; a failing one ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


def _asked_to_stop() -> asyncio.Event:
    """Return what SIGINT and SIGTERM set; the second SIGINT ends everything at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def ask(number: int) -> None:
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)
    return stop
