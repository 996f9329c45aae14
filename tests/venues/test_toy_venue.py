"""A venue from outside the package runs as those within do."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
from replayed import judged, outcome
from toy.exchange import Toyex
from toy.toyex import TOYEX

from balance_connector.service import Connector, options_of
from balance_schemas.records import BalanceEvent, ConnectorStatus, Reconciliation
from balance_schemas.topics import EVENTS, RECONCILIATIONS, STATUS
from balance_shared.service import Parts
from balance_shared.settings import ConnectorSettings
from balance_shared.testing import (
    InMemoryBus,
    InMemoryRecall,
    VirtualClock,
    run_virtually,
)


class Running:
    """Toyex, a connector to it, and the bus that it tells."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.toyex = Toyex(self.clock)
        self.bus = InMemoryBus()
        settings = ConnectorSettings(
            account="main", api_key="key", api_secret="secret", poll_interval_s=5
        )
        self.connector = Connector(
            TOYEX,
            settings,
            options_of(TOYEX, settings),
            Parts(),
            self.bus,
            self.toyex,
            InMemoryRecall(self.bus),
            self.clock,
            self.toyex.connect,
        )

    @property
    def states(self) -> list[str]:
        """The states of the stream, in order."""
        statuses = self.bus.read(STATUS, ConnectorStatus)
        return [status.state for status in statuses if status.feed == "ws"]

    def told(self, kind: str) -> list[tuple[str, Decimal]]:
        """Return asset and balance of the events of one kind, in order."""
        events = self.bus.read(EVENTS, BalanceEvent)
        return [(event.asset, event.balance) for event in events if event.kind == kind]

    async def until(self, met) -> None:
        """Wait in virtual time."""
        async with asyncio.timeout(60):
            while not met():
                await self.clock.sleep(0.1)


@asynccontextmanager
async def running():
    """Run a connector until its stream is live, and to the end of the context."""
    world = Running()
    task = asyncio.create_task(world.connector.run())
    try:
        await world.until(lambda: "live" in world.states)
        yield world
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_picture_and_updates():
    """The subscription is signed, the picture comes first, then each change once."""

    async def scenario():
        async with running() as world:
            (subscription,) = world.toyex.socket.sent
            assert "balances" == msgspec.json.decode(subscription)["subscribe"]
            assert [("BTC", Decimal("1.5")), ("USD", Decimal(100))] == world.told(
                "snapshot"
            )
            world.toyex.move("BTC", "0.000000000000000001")
            world.toyex.move("USD", "-0.5")
            await world.until(lambda: len(world.told("update")) == 2)
            assert [
                ("BTC", Decimal("1.500000000000000001")),
                ("USD", Decimal("99.5")),
            ] == world.told("update")

    run_virtually(scenario())


def test_gap_is_stale_then_told_late():
    """A lost frame: stale, a new picture, and its line from the ledger, once."""

    async def scenario():
        async with running() as world:
            world.toyex.move("BTC", "0.5")
            world.toyex.move("BTC", "0.25", lost=True)
            world.toyex.move("USD", "-1")
            await world.until(lambda: "stale" in world.states)
            await world.until(lambda: world.told("backfill"))
            assert "live" == world.states[-1]
            assert ("BTC", Decimal("2.25")) in world.told("snapshot")
            assert [("BTC", Decimal(2))] == world.told("update")
            late = [("BTC", Decimal("2.25")), ("USD", Decimal(99))]
            assert late == world.told("backfill")

    run_virtually(scenario())


def test_polls_confirm_the_stream():
    """REST tells the same balances: the comparison says so."""

    async def scenario():
        async with running() as world:
            world.toyex.move("USD", "-1")
            await world.until(lambda: world.bus.read(RECONCILIATIONS, Reconciliation))
            (found,) = world.bus.read(RECONCILIATIONS, Reconciliation)
            assert ("consistent", 2) == (found.verdict, found.checked)

    run_virtually(scenario())


def test_frames_make_the_same_events_again():
    """Gap, ledger, comparison: a replay needs nothing that is the venue's own."""

    async def scenario():
        async with running() as world:
            world.toyex.move("BTC", "0.5")
            world.toyex.move("BTC", "0.25", lost=True)
            world.toyex.move("USD", "-1")
            await world.until(lambda: world.told("backfill"))
            await world.until(lambda: world.bus.read(RECONCILIATIONS, Reconciliation))
        told = world.bus.read(EVENTS, BalanceEvent)
        assert (len(told), {}, []) == outcome(judged(world, venue=TOYEX))

    run_virtually(scenario())
