"""The same parts as containers, where an engine and the images are there already.

Nothing is ever pulled. This way could not be tried on the machine it was written on,
which has no container engine; ``running_stack(docker=False)`` passes over it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from tenacity import Retrying, stop_after_delay, wait_fixed
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from balance_stack.endpoints import Endpoints, local_endpoints
from balance_stack.kafka import check_kafka
from balance_stack.ports import free_ports
from balance_stack.postgres import check_postgres
from balance_stack.process import READY_LIMIT_S
from balance_stack.registry import check_registry

KAFKA_IMAGE = "apache/kafka:4.3.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.0.9"
POSTGRES_IMAGE = "postgres:18"


def is_usable() -> bool:
    """Tell whether an engine answers and has all three images.

    Returns:
        False if anything is missing.
    """
    if not _engine_listens():
        return False
    try:
        with docker.from_env() as engine:
            for image in (KAFKA_IMAGE, REGISTRY_IMAGE, POSTGRES_IMAGE):
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
def containers() -> Iterator[Endpoints]:
    """Run one container for each part.

    Yields:
        Where the parts can be reached; each has answered.

    Raises:
        tenacity.RetryError: If a part does not answer in time.
    """
    # Its helper container is one more image, which would have to be pulled.
    testcontainers_config.ryuk_disabled = True
    ports = free_ports(brokers=1)
    endpoints = local_endpoints(ports.kafka, ports.registry, ports.postgres)
    with ExitStack() as running:
        for container in (
            _kafka(ports.kafka[0]),
            DockerContainer(REGISTRY_IMAGE).with_bind_ports(8080, ports.registry),
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
            .with_bind_ports(5432, ports.postgres),
        ):
            running.enter_context(container)
        waiting = Retrying(stop=stop_after_delay(READY_LIMIT_S), wait=wait_fixed(0.2))
        waiting(check_kafka, endpoints.kafka_bootstrap_servers)
        waiting(check_registry, endpoints.schema_registry_url)
        waiting(check_postgres, ports.postgres)
        yield endpoints


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
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    for name, value in settings.items():
        container = container.with_env(name, value)
    return container
