"""The show: traffic, trouble, what one sees of it, and the verdict at the end."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import psycopg

from balance_demo import plays, standin
from balance_demo.board import Board
from balance_demo.books import Books, differences
from balance_demo.bus import Tables, connect, news
from balance_demo.children import Children
from balance_demo.output import Output
from balance_demo.plays import Incident, Play
from balance_demo.screen import Scene
from balance_demo.standin import StandIn
from balance_demo.summary import KAFKA, POSTGRESQL, Summary
from balance_demo.venues import PLAYS
from balance_schemas.records import ConnectorStatus, Reconciliation, Record
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

DRAW_EVERY_S = 0.25
COUNT_EVERY_S = 1.0
LOOK_EVERY_S = 0.5

WAVE_S = 10.0
"""How long a venue trades, and then rests, in seconds."""

HEAL_S_MAX = plays.PAUSE_S
"""How long to wait for a venue to be right again before the next play, in seconds."""

SETTLE_S_MAX = 25.0
"""How long the books may take to come to rest and to be proven after the traffic, in
seconds: proof waits for a comparison at rest, and for the state that tells of it."""

SETTLE_EVERY_S = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be shown.

    Attributes:
        duration_s: how long, in seconds; None until asked to stop.
        rate: updates a second of a venue that trades.
        seed: of the stand-ins.
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
        account: our alias for the account at each venue.
        stand_ins: name → venue.
        urls: name → address, for people.
        children: the processes.
        born_s: monotonic time of the start of the program, seconds.
    """

    settings: ServiceSettings
    postgres_dsn: str
    account: str
    stand_ins: Mapping[str, StandIn]
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
    board: Board = field(init=False)
    rows: dict[str, int] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    next_play: tuple[float, Play] | None = None
    first_balances_s: float | None = None
    began_s: float = 0.0

    def __post_init__(self) -> None:
        """Begin with an empty board."""
        self.board = Board(self.world.stand_ins)

    async def run(self) -> Summary:
        """Show everything and return what was found at the end.

        Raises:
            PartFailed: a process ended on its own; in an exception group.
            BusInterrupted: Kafka or the registry is gone; in an exception group.
        """
        world = self.world
        async with (
            Registry(world.settings.schema_registry_url, SETTLE_S_MAX) as registry,
            await connect(world.postgres_dsn) as connection,
            standin.session() as http,
        ):
            tables = Tables(connection, world.account)
            self.began_s = time.monotonic()
            work = self._read(registry), self._watch(), self._count(tables)
            async with _together(*work):
                with self.output:
                    async with _together(
                        self._draw(), self._play(http), self._traffic(http)
                    ):
                        await self._wait(http)
                self.output.tell("traffic has stopped; the books come to rest ...")
                return await self._settle(tables, http)

    async def _wait(self, http: aiohttp.ClientSession) -> None:
        """Wait until the time is over or somebody wants to stop; stop the traffic."""
        stop = _asked_to_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.duration_s):
                await stop.wait()
        for one in self.world.stand_ins.values():
            await one.traffic(http, stop=True)

    async def _traffic(self, http: aiohttp.ClientSession) -> None:
        """Let every other venue trade, in turn: only at rest can polls be compared.

        A venue in trouble trades on, for `_heal` to stop.
        """
        for turn in itertools.count():
            troubled = {one.play.venue for one in self.incidents if not one.right_at}
            for number, (name, one) in enumerate(self.world.stand_ins.items()):
                if name not in troubled:
                    rests = (turn + number) % 2
                    asked = {"stop": True} if rests else {"rate": self.plan.rate}
                    await one.traffic(http, **asked)
            await asyncio.sleep(WAVE_S)

    async def _read(self, registry: Registry) -> None:
        world = self.world
        told = news(world.settings, registry, world.account, world.stand_ins)
        async for records in told:
            for topic, record in records:
                self.board.take(topic, record)
                self._follow(record)
            if self.first_balances_s is None and all(
                venue.balances for venue in self.board.venues()
            ):
                self.first_balances_s = time.monotonic() - world.born_s

    def _follow(self, record: Record) -> None:
        if isinstance(record, Reconciliation):
            at, venue = record.answered_at.astimezone(), record.venue
            self.output.tell(f"{at:%H:%M:%S} {venue} against REST: {record.verdict}")
        if isinstance(record, ConnectorStatus) and self.board.owns_balances(record):
            for incident in self.incidents:
                if incident.take(record):
                    self.output.tell(incident.text())

    async def _play(self, http: aiohttp.ClientSession) -> None:
        for at_s, play in plays.plan(self.plan.duration_s, PLAYS):
            self.next_play = at_s, play
            await asyncio.sleep(self.began_s + at_s - time.monotonic())
            self.next_play = None
            incident = Incident(play, datetime.now(UTC))
            self.incidents.append(incident)
            where = self.world.stand_ins[play.venue]
            await where.traffic(http, rate=self.plan.rate)
            await where.play(http, play)
            self.output.tell(incident.text())
            with suppress(TimeoutError):
                async with asyncio.timeout(HEAL_S_MAX):
                    await self._heal(http, incident)

    async def _heal(self, http: aiohttp.ClientSession, incident: Incident) -> None:
        """Wait until a venue is live, then let it rest until its books are right."""
        where = self.world.stand_ins[incident.play.venue]
        while incident.right_at is None:
            await asyncio.sleep(DRAW_EVERY_S)
            if incident.live_at is not None:
                await where.traffic(http, stop=True)
                truth = await where.books(http)
                if not differences(KAFKA, truth, self.board.books(where.venue.name)):
                    incident.right_at = datetime.now(UTC)
        self.output.tell(incident.text())

    async def _watch(self) -> None:
        while True:
            self.world.children.require_alive()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _count(self, tables: Tables) -> None:
        while True:
            # What ended is found out, and told better, by `_watch`.
            with suppress(psycopg.Error):
                self.rows = await tables.events()
            await asyncio.sleep(COUNT_EVERY_S)

    async def _draw(self) -> None:
        while True:
            self.output.show(self._scene())
            await asyncio.sleep(DRAW_EVERY_S)

    def _scene(self) -> Scene:
        return Scene(
            now=datetime.now(UTC),
            elapsed_s=time.monotonic() - self.began_s,
            duration_s=self.plan.duration_s,
            venues=self.board.venues(),
            holdings=self.board.holdings(),
            dead_letters=self.board.dead_letters,
            rows=sum(self.rows.values()),
            incidents=self.incidents,
            next_play=self.next_play,
            urls=self.world.urls,
            watermark=self.board.watermark(),
        )

    async def _settle(self, tables: Tables, http: aiohttp.ClientSession) -> Summary:
        """Compare until all is well, or until it should have been."""
        until_s = time.monotonic() + SETTLE_S_MAX
        while True:
            summary = await self._compare(tables, http)
            done = summary.equal and summary.healed and summary.proven
            if done or time.monotonic() > until_s:
                return summary
            await asyncio.sleep(SETTLE_EVERY_S)

    async def _compare(self, tables: Tables, http: aiohttp.ClientSession) -> Summary:
        truth: Books = {}
        for one in self.world.stand_ins.values():
            truth |= await one.books(http)
        found = Summary(
            venues=tuple(self.board.venues()),
            truth=truth,
            differences=(
                *differences(KAFKA, truth, self.board.books()),
                *differences(POSTGRESQL, truth, await tables.books()),
            ),
            rows=await tables.events(),
            incidents=tuple(self.incidents),
            first_balances_s=self.first_balances_s,
            watermark=self.board.watermark(),
        )
        for incident in self.incidents:
            if found.equal and incident.live_at and not incident.right_at:
                incident.right_at = datetime.now(UTC)
        return found


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
