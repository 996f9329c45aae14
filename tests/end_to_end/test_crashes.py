"""Kill -9 in the middle of traffic: afterwards the books equal the venue's."""

import time

import psycopg
import pytest
from processes import Service, Venue, ended, plain, until

pytestmark = pytest.mark.end_to_end


class Firm:
    """A venue, its connector and storage on topics and tables of their own."""

    def __init__(self, stack, folder, prefix: str) -> None:
        self.dsn = stack.endpoints.postgres_dsn
        common = stack.endpoints.environment() | {"BALANCEBUS_TOPIC_PREFIX": prefix}
        self.prefix = prefix
        self.venue = Venue(folder / "venue.log", "--seed", "7")
        self.connector = Service(
            folder / "connector.log",
            common | self.venue.environment | {"BALANCEBUS_ACCOUNT": prefix},
            "connector",
            "kraken",
        )
        self.storage = Service(folder / "storage.log", common, "storage")

    def books(self) -> dict[str, str]:
        """Return wallet/id|asset → balance in PostgreSQL, zeros out."""
        with psycopg.connect(self.dsn) as database:
            rows = database.execute(
                "SELECT wallet, wallet_id, asset, balance::text FROM balancebus.balances"
                " WHERE account = %s",
                (self.prefix,),
            ).fetchall()
        return {
            f"{wallet}/{wallet_id}|{asset}": plain(balance)
            for wallet, wallet_id, asset, balance in rows
            if plain(balance) != "0"
        }

    def ready(self) -> bool:
        """Whether connector and storage do their job."""
        return self.connector.ready() and self.storage.ready()

    def equal(self) -> bool:
        """Whether the books equal the venue's truth."""
        return self.books() == self.venue.truth()

    def settle(self) -> None:
        """Stop the traffic and wait until the books equal the venue's."""
        self.venue.quiet()
        until(self.ready, "connector and storage ready", 60)
        until(self.equal, "books equal the venue's truth", 60)

    def repeated(self) -> int:
        """Return how many event ids stand in PostgreSQL twice."""
        with psycopg.connect(self.dsn) as database:
            ((count,),) = database.execute(
                "SELECT count(*) - count(DISTINCT event_id) FROM balancebus.events"
            ).fetchall()
        return count


@pytest.fixture(name="firm")
def _firm(stack, tmp_path, request):
    firm = Firm(stack, tmp_path, f"crash{int(time.time() * 1000)}")
    with ended(firm.venue, firm.connector, firm.storage):
        until(firm.ready, "connector and storage ready", 60)
        firm.venue.traffic(100)
        yield firm


@pytest.mark.parametrize("victim", ["connector", "storage"])
def test_killed_service_comes_back_right(firm, victim):
    """Three kills in traffic; nothing needs a hand, nothing is twice."""
    service = getattr(firm, victim)
    for _ in range(3):
        time.sleep(0.7)
        service.kill()
        time.sleep(0.3)
        service.start()
        until(service.ready, f"{victim} ready again", 60)
    firm.settle()

    assert 0 == firm.repeated()


def test_killed_broker_comes_back_and_nothing_is_lost(firm, stack):
    """Kafka is killed under traffic and started again."""
    time.sleep(1)
    stack.kill("kafka-1")
    time.sleep(2)
    stack.start("kafka-1")
    firm.settle()

    assert 0 == firm.repeated()


def test_killed_database_comes_back_and_storage_catches_up(firm, stack):
    """PostgreSQL is killed under traffic and started again."""
    time.sleep(1)
    stack.kill("postgres")
    until(lambda: not firm.storage.ready(), "storage says that it is not ready")
    stack.start("postgres")
    firm.settle()

    assert 0 == firm.repeated()


def test_killed_registry_stops_nobody(firm, stack):
    """Running services go on without the registry."""
    stack.kill("registry")
    time.sleep(1)
    firm.venue.fault("gap")
    time.sleep(1)
    stack.start("registry")
    firm.settle()

    assert 0 == firm.repeated()
