"""Where Kafka, the registry and PostgreSQL can be reached."""

from collections.abc import Mapping
from dataclasses import dataclass

from balance_stack.errors import StackRefused

KAFKA_VARIABLE = "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS"
REGISTRY_VARIABLE = "BALANCEBUS_SCHEMA_REGISTRY_URL"
POSTGRES_VARIABLE = "BALANCEBUS_POSTGRES_DSN"
REGISTRY_PATH = "/apis/ccompat/v7"


@dataclass(frozen=True)
class Endpoints:
    """The addresses of one set of outside parts.

    Attributes:
        kafka_bootstrap_servers: Comma-separated ``host:port``.
        schema_registry_url: Base URL of the Confluent API.
        postgres_dsn: Connection URL, with user and database.
    """

    kafka_bootstrap_servers: str
    schema_registry_url: str
    postgres_dsn: str

    def environment(self) -> dict[str, str]:
        """Give the settings that point every service at these parts.

        Returns:
            Names and values of three environment variables.
        """
        return {
            KAFKA_VARIABLE: self.kafka_bootstrap_servers,
            REGISTRY_VARIABLE: self.schema_registry_url,
            POSTGRES_VARIABLE: self.postgres_dsn,
        }


def named_endpoints(environment: Mapping[str, str]) -> Endpoints | None:
    """Read the endpoints that the environment names.

    Args:
        environment: Environment variables.

    Returns:
        The endpoints, or None if the environment names none of the three.

    Raises:
        StackRefused: If it names some but not all: half of one set and half of
            another would be an accident.
    """
    names = (KAFKA_VARIABLE, REGISTRY_VARIABLE, POSTGRES_VARIABLE)
    missing = [name for name in names if not environment.get(name)]
    if len(missing) == len(names):
        return None
    if missing:
        raise StackRefused(
            f"the environment names some parts but not {' and '.join(missing)}: "
            "set all three, or none of them to start local ones"
        )
    return Endpoints(*(environment[name] for name in names))


def local_endpoints(
    kafka_ports: tuple[int, ...], registry_port: int, postgres_port: int
) -> Endpoints:
    """Give the endpoints of parts that run on this machine.

    Args:
        kafka_ports: TCP port of each broker.
        registry_port: TCP port of the registry.
        postgres_port: TCP port of PostgreSQL.

    Returns:
        The endpoints, all on 127.0.0.1.
    """
    return Endpoints(
        kafka_bootstrap_servers=",".join(f"127.0.0.1:{port}" for port in kafka_ports),
        schema_registry_url=f"http://127.0.0.1:{registry_port}{REGISTRY_PATH}",
        postgres_dsn=f"postgresql://postgres@127.0.0.1:{postgres_port}/balancebus",
    )
