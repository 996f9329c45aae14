"""A whole firm in processes: stand-in venues, their connectors, and storage.

Its books can be asked for in three places: at the venues, on the bus, in PostgreSQL.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from processes import Service, Venue, ended, get, until

from balance_demo.books import Books, Difference, Place, differences, place_of
from balance_demo.venues import VENUES, DemoVenue
from balance_schemas.codec import decode, schema_id_of
from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS, LATEST, Topic
from balance_shared.kafka import Reader
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings

ROWS = {row.name: row for row in VENUES}
READY_S = 180.0
"""How long a service may take to be ready again on a busy machine, in seconds."""


class Desk:
    """One venue's account: a stand-in and the connector beside it.

    Args:
        row: what is to be known of the venue.
        folder: for the logs.
        common: settings that the firm's services share.
        account: alias of the account.
    """

    def __init__(
        self, row: DemoVenue, folder: Path, common: dict[str, str], account: str
    ) -> None:
        self.row = row
        self.venue = Venue(
            folder / f"venue-{row.name}.log", "--seed", "7", name=row.name
        )
        credentials = {
            f"BALANCEBUS_{name.upper()}": value
            for name, value in row.credentials(self.venue.said).items()
        }
        self._log = folder / f"connector-{row.name}.log"
        self._settings = (
            common
            | credentials
            | {"BALANCEBUS_ACCOUNT": account, "BALANCEBUS_POLL_INTERVAL_S": "5"}
        )
        self.connector = self.another()

    def another(self) -> Service:
        """Start one more connector of the account."""
        return Service(self._log, self._settings, "connector", self.row.name)

    def truth(self) -> Books:
        """Return the venue's books."""
        return self.row.books(json.loads(get(f"{self.venue.control}/truth")[1]))


class Firm:
    """Some desks and storage, on topics of their own.

    Args:
        stack: Kafka, registry and PostgreSQL.
        folder: for the logs.
        name: prefix of the topics, and alias of the accounts.
        venues: names of the venues.
    """

    def __init__(self, stack: Any, folder: Path, name: str, *venues: str) -> None:
        self.name = name
        self.endpoints = stack.endpoints
        common = stack.endpoints.environment() | {
            "BALANCEBUS_TOPIC_PREFIX": name,
            "BALANCEBUS_TOPIC_PARTITIONS": "4",
        }
        self.desks = {
            venue: Desk(ROWS[venue], folder, common, name) for venue in venues
        }
        self.storage = Service(folder / "storage.log", common, "storage")

    @property
    def services(self) -> dict[str, Service]:
        """Every service by what it is called."""
        connectors = {name: desk.connector for name, desk in self.desks.items()}
        return connectors | {"storage": self.storage}

    def ready(self) -> bool:
        """Whether all services do their job."""
        return all(service.ready() for service in self.services.values())

    def traffic(self, rate: float) -> None:
        """Make so many updates a second at each venue from now on."""
        for desk in self.desks.values():
            desk.venue.traffic(rate)

    def truth(self) -> Books:
        """Return the books of the venues."""
        return {k: v for desk in self.desks.values() for k, v in desk.truth().items()}

    def stored(self) -> Books:
        """Return the books in PostgreSQL."""
        rows = self.select(
            "SELECT venue, subaccount, wallet_id, venue_asset, balance"
            " FROM balancebus.balances WHERE account = %s"
        )
        return {Place(*words): Decimal(balance) for *words, balance in rows}

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query that takes the account."""
        with psycopg.connect(self.endpoints.postgres_dsn) as database:
            return database.execute(query, (self.name,)).fetchall()

    def told(self, topic: Topic) -> list[BalanceEvent]:
        """Return all that lies on a topic, in order for each account."""
        return asyncio.run(self._told(topic))

    async def _told(self, topic: Topic) -> list[BalanceEvent]:
        settings = ServiceSettings(
            kafka_bootstrap_servers=self.endpoints.kafka_bootstrap_servers,
            schema_registry_url=self.endpoints.schema_registry_url,
            topic_prefix=self.name,
        )
        async with (
            Registry(settings.schema_registry_url, READY_S) as registry,
            Reader(settings, (topic,)) as reader,
        ):
            places = reader.places(topic)
            starts, ends = await reader.beginnings(places), await reader.ends(places)
            return [
                await _decoded(registry, incoming.value)
                async for batch in reader.read(starts, ends)
                for incoming in batch
            ]

    def settle(self) -> None:
        """Stop the traffic and wait until PostgreSQL holds what the venues hold."""
        for desk in self.desks.values():
            desk.venue.quiet()
        until(self.ready, "all services ready", READY_S)
        try:
            until(lambda: not self.wrong(), "right books", READY_S)
        except AssertionError:
            assert [] == self.wrong()
            raise

    def wrong(self) -> list[Difference]:
        """Return where PostgreSQL holds something else than the venues."""
        return differences("PostgreSQL", self.truth(), self.stored())

    def check(self) -> None:
        """Compare venues, bus and PostgreSQL: figures, ids and counts."""
        latest = {place_of(event): event.balance for event in self.told(LATEST)}
        assert [] == differences("latest", self.truth(), latest)
        assert [] == self.wrong()
        # Late facts may still come from a venue's history.
        try:
            until(lambda: not any(self._unlike()), "the same ids", READY_S)
        except AssertionError:
            assert (set(), set()) == self._unlike()
            raise
        kept = self._kept_ids()
        assert len(kept) == len(set(kept))

    def _unlike(self) -> tuple[set[str], set[str]]:
        """Return the ids that only the bus has, and those that only PostgreSQL has."""
        told, kept = self._told_ids(), set(self._kept_ids())
        return told - kept, kept - told

    def _told_ids(self) -> set[str]:
        return {event.event_id for event in self.told(EVENTS)}

    def _kept_ids(self) -> list[str]:
        query = "SELECT event_id FROM balancebus.events WHERE account = %s"
        return [event_id for (event_id,) in self.select(query)]


async def _decoded(registry: Registry, value: bytes) -> BalanceEvent:
    schema = await registry.schema(schema_id_of(value))
    return decode(BalanceEvent, value, schema)


@contextmanager
def running(make: Callable[[], Firm], rate: float) -> Iterator[Firm]:
    """Run a firm with traffic for as long as the block lasts."""
    firm = make()
    venues = [desk.venue for desk in firm.desks.values()]
    with ended(*firm.services.values(), *venues):
        until(firm.ready, "all services ready", READY_S)
        firm.traffic(rate)
        yield firm
