"""Which TCP ports the parts listen on."""

import random
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from balance_stack.errors import StackRefused

KAFKA_PORT = 9092
REGISTRY_PORT = 8081
POSTGRES_PORT = 5432

# Below the range from which systems take the ports of outgoing connections (32768 on
# Linux): a part that is restarted finds its port free again.
_FREE_PORTS = range(15_000, 32_000)


@dataclass(frozen=True)
class Ports:
    """The ports of one stack, all on 127.0.0.1.

    Attributes:
        kafka: One for each broker.
        controllers: One for each broker, for the brokers among themselves.
        registry: HTTP port of the registry.
        postgres: Port of PostgreSQL.
    """

    kafka: tuple[int, ...]
    controllers: tuple[int, ...]
    registry: int
    postgres: int

    def to_json(self) -> dict[str, Any]:
        """Give plain values for the state file.

        Returns:
            A dict that ``from_json`` reads back.
        """
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Ports":
        """Read what ``to_json`` gave.

        Args:
            values: Plain values.

        Returns:
            The ports.

        Raises:
            KeyError: If a value is missing.
        """
        return cls(
            tuple(values["kafka"]),
            tuple(values["controllers"]),
            values["registry"],
            values["postgres"],
        )


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of 127.0.0.1 now.

    Args:
        port: TCP port.

    Returns:
        False if somebody else has it.
    """
    with socket.socket() as server:
        # As servers do: connections in TIME_WAIT do not hold a port.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(brokers: int) -> Ports:
    """Choose ports that nobody uses.

    Args:
        brokers: Number of Kafka brokers.

    Returns:
        Distinct free ports.
    """
    ports = _candidates()
    return Ports(
        kafka=tuple(next(ports) for _ in range(brokers)),
        controllers=tuple(next(ports) for _ in range(brokers)),
        registry=next(ports),
        postgres=next(ports),
    )


def fixed_ports(brokers: int, kafka: int, registry: int, postgres: int) -> Ports:
    """Take the ports that the user asked for; refuse those that are taken.

    Args:
        brokers: Number of Kafka brokers; they listen on ``kafka``, ``kafka + 1``, …
        kafka: Port of the first broker.
        registry: Port of the registry.
        postgres: Port of PostgreSQL.

    Returns:
        The ports, with free ones for the controllers.

    Raises:
        StackRefused: If a port is taken or named twice; the text names the option.
    """
    wanted = [(kafka + index, "--kafka-port") for index in range(brokers)]
    wanted += [(registry, "--registry-port"), (postgres, "--postgres-port")]
    numbers = [port for port, _ in wanted]
    for port, option in wanted:
        if numbers.count(port) > 1 or not is_free(port):
            raise StackRefused(
                f"port {port} is in use: stop what listens there, choose another "
                f"with {option}, or let free ones be found with --free-ports"
            )
    free = (port for port in _candidates() if port not in numbers)
    return Ports(
        kafka=tuple(numbers[:brokers]),
        controllers=tuple(next(free) for _ in range(brokers)),
        registry=registry,
        postgres=postgres,
    )


def _candidates() -> Iterator[int]:
    # Of its own: a seed that others set would give two stacks the same ports.
    everything = random.SystemRandom().sample(_FREE_PORTS, len(_FREE_PORTS))
    return (port for port in everything if is_free(port))
