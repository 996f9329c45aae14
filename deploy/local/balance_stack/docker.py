"""The same parts as containers, where an engine and the images are there already.

Nothing is ever pulled; ``running_stack(docker=False)`` passes over this way.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import NamedTuple

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from tenacity import RetryError, Retrying, stop_after_delay, wait_fixed
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from balance_stack.endpoints import Endpoints, local_endpoints
from balance_stack.errors import PartFailed, require_part
from balance_stack.kafka import check_kafka
from balance_stack.ports import free_ports
from balance_stack.postgres import check_postgres
from balance_stack.process import READY_LIMIT_S
from balance_stack.registry import check_registry

KAFKA_IMAGE = "apache/kafka:4.3.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.0.9"
POSTGRES_IMAGE = "postgres:18"


IMAGES = (KAFKA_IMAGE, REGISTRY_IMAGE, POSTGRES_IMAGE)
"""What has to be there."""


class Contained(NamedTuple):
    """One part in its container.

    Attributes:
        container: what runs it.
        check: asks it something; raises while it does not answer.
    """

    container: DockerContainer
    check: Callable[[], None]


class Containers:
    """One container for each part.

    Args:
        endpoints: Where the parts can be reached.
        parts: Name of each part, and the part.
    """

    def __init__(self, endpoints: Endpoints, parts: Mapping[str, Contained]) -> None:
        self.endpoints = endpoints
        self._parts = parts

    def kill(self, part: str) -> None:
        """End one part with SIGKILL; its data stay, and so does its address.

        Args:
            part: Such as ``kafka-1``, ``registry``, ``postgres``.

        Raises:
            StackRefused: If there is no such part.
        """
        self._named(part).container.get_wrapped_container().kill()

    def start(self, part: str) -> None:
        """Start a part again and wait for it.

        Args:
            part: Such as ``kafka-1``, ``registry``, ``postgres``.

        Raises:
            StackRefused: If there is no such part.
            PartFailed: If it does not come up.
        """
        self._named(part).container.get_wrapped_container().start()
        self.await_ready(part)

    def await_ready(self, part: str) -> None:
        """Wait until a part answers.

        Args:
            part: Its name.

        Raises:
            StackRefused: If there is no such part.
            PartFailed: If it does not answer in time.
        """
        contained = self._named(part)
        waiting = Retrying(stop=stop_after_delay(READY_LIMIT_S), wait=wait_fixed(0.2))
        try:
            waiting(contained.check)
        except RetryError as error:
            name = contained.container.get_wrapped_container().name
            raise PartFailed(
                f"{part} did not answer within {READY_LIMIT_S:g} s: "
                f"see `docker logs {name}`"
            ) from error

    def _named(self, part: str) -> Contained:
        require_part(part, self._parts)
        return self._parts[part]


def is_usable() -> bool:
    """Tell whether an engine answers and has all three images.

    Returns:
        False if anything is missing.
    """
    return _engine_listens() and _engine_has(*IMAGES)


def _engine_has(*images: str) -> bool:
    try:
        with closing(docker.from_env()) as engine:
            for image in images:
                engine.images.get(image)
    except DockerException:
        return False
    return True


def _engine_listens() -> bool:
    # Docker's own client leaves a socket open where nobody listens.
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(host.removeprefix("unix://")) == 0


@contextmanager
def containers() -> Iterator[Containers]:
    """Run one container for each part, for as long as the block lasts.

    Yields:
        The parts; each has answered.

    Raises:
        PartFailed: If a part does not answer in time.
    """
    # What cleans up after a killed run is one more image; it is never pulled either.
    reaper = testcontainers_config.ryuk_image
    testcontainers_config.ryuk_disabled = not _engine_has(reaper)
    ports = free_ports(brokers=1)
    endpoints = local_endpoints(ports.kafka, ports.registry, ports.postgres)
    parts = {
        "kafka-1": Contained(
            _kafka(ports.kafka[0]),
            partial(check_kafka, endpoints.kafka_bootstrap_servers, 1),
        ),
        "registry": Contained(
            _registry(ports.registry),
            partial(check_registry, endpoints.schema_registry_url),
        ),
        "postgres": Contained(
            _postgres(ports.postgres), partial(check_postgres, ports.postgres)
        ),
    }
    running = Containers(endpoints, parts)
    with ExitStack() as started:
        for part in parts.values():
            started.enter_context(part.container)
        for name in parts:
            running.await_ready(name)
        yield running


def _registry(port: int) -> DockerContainer:
    # In a file, so that it knows its schemas after a crash.
    url = "jdbc:h2:file:/tmp/registry;WRITE_DELAY=0"
    container = DockerContainer(REGISTRY_IMAGE)
    return _bound(container.with_env("APICURIO_DATASOURCE_URL", url), 8080, port)


def _postgres(port: int) -> DockerContainer:
    container = DockerContainer(POSTGRES_IMAGE)
    return _bound(container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust"), 5432, port)


def _kafka(port: int) -> DockerContainer:
    settings = {
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_NODE_ID": "1",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        # A killed broker may come back after this long, not only after 9 s.
        "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
        "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    }
    container = _bound(DockerContainer(KAFKA_IMAGE), 9092, port)
    for name, value in settings.items():
        container = container.with_env(name, value)
    return container


def _bound(container: DockerContainer, inside: int, port: int) -> DockerContainer:
    """Publish a port to this machine only: the parts ask nobody for a password."""
    container.ports[f"{inside}/tcp"] = ("127.0.0.1", port)
    return container
