"""Apache Kafka in KRaft mode: every node is both broker and controller."""

import asyncio
import logging
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from balance_stack.errors import PartFailed
from balance_stack.layout import Layout
from balance_stack.ports import Ports
from balance_stack.process import Part
from balance_stack.programs import SHORT_LIVED, Programs

# 16 bytes in URL-safe Base64, as Kafka wants it. Fixed: nodes of one stack are told
# from those of another by their ports and directories.
CLUSTER_ID = "balancebus-localstackA"

_LOGGING = "log4j2.properties"
_ANSWER_LIMIT_MS = 3000
_BROKER = ("-Xms128m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
_BRIEF_BROKER = ("-Xmx512m", *SHORT_LIVED)


def kafka_part(
    index: int, layout: Layout, ports: Ports, programs: Programs, *, brief: bool
) -> Part:
    """Describe one Kafka node.

    Args:
        index: Which node, from 0; it is named ``kafka-1`` and so on.
        layout: The stack's directory.
        ports: The stack's ports.
        programs: Where Kafka lies.
        brief: Whether a quick start matters more than speed after minutes, as it does
            to several brokers on one machine, which are for trying failures.

    Returns:
        The part.
    """
    name = f"kafka-{index + 1}"
    configuration = layout.configuration(f"{name}.properties")
    address = f"127.0.0.1:{ports.kafka[index]}"
    return Part(
        name=name,
        address=address,
        command=(
            *_java(layout, programs, _BRIEF_BROKER if brief else _BROKER),
            "kafka.Kafka",
            str(configuration),
        ),
        log=layout.log(name),
        pid_file=layout.pid_file(name),
        prepare=partial(_prepare, index, layout, ports, programs),
        check=partial(check_kafka, address, index + 1),
    )


def check_kafka(address: str, node_id: int | None = None) -> None:
    """Ask a broker for the cluster's metadata.

    Args:
        address: ``host:port`` of the broker.
        node_id: The node that must be among those the answer names, if any.

    Raises:
        OSError: While nobody listens, or the cluster does not know the node yet.
        KafkaError: While it does not answer.
    """
    host, port = address.split(":")
    # aiokafka logs an error for each refused connection; this tries quietly first.
    socket.create_connection((host, int(port)), timeout=1).close()
    with _quiet():
        known = asyncio.run(_brokers(address))
    if node_id is not None and node_id not in known:
        raise ConnectionError(f"node {node_id} is not among the brokers {known}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep aiokafka's log silent: Docker accepts for a broker that does not yet."""
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


async def _brokers(address: str) -> list[int]:
    client = AIOKafkaAdminClient(
        bootstrap_servers=address, request_timeout_ms=_ANSWER_LIMIT_MS
    )
    try:
        await client.start()
        cluster = await client.describe_cluster()
        return [broker["node_id"] for broker in cluster["brokers"]]
    finally:
        await client.close()


def properties(index: int, data: Path, ports: Ports) -> str:
    """Write the configuration of one node.

    Args:
        index: Which node, from 0.
        data: Its data directory.
        ports: The stack's ports.

    Returns:
        The text of its ``server.properties``.
    """
    brokers = len(ports.kafka)
    replicas, in_sync = (3, 2) if brokers >= 3 else (brokers, 1)  # noqa: PLR2004
    voters = [f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(ports.controllers)]
    client, controller = ports.kafka[index], ports.controllers[index]
    settings = {
        "process.roles": "broker,controller",
        "node.id": index + 1,
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": "CONTROLLER",
        "listeners": (
            f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}"
        ),
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client}",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Fifty each by default: on one machine that only costs time.
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        # The first consumer of a group starts at once, not after 3 s.
        "group.initial.rebalance.delay.ms": 0,
        # A killed broker may come back after this long, not only after 9 s.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # Not after a minute: a broker that starts loads what is deleted all the same.
        "log.segment.delete.delay.ms": 1000,
        # A quarter of the small heap by default.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _java(
    layout: Layout, programs: Programs, options: tuple[str, ...]
) -> tuple[str, ...]:
    classes = ":".join(str(jar) for jar in programs.kafka_jars)
    logging = layout.configuration(_LOGGING)
    return (
        str(programs.java),
        *options,
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        classes,
    )


def _prepare(index: int, layout: Layout, ports: Ports, programs: Programs) -> None:
    name = f"kafka-{index + 1}"
    data = layout.data(name)
    configuration = layout.configuration(f"{name}.properties")
    configuration.write_text(properties(index, data, ports), encoding="utf-8")
    logging = files("balance_stack").joinpath(_LOGGING).read_text(encoding="ascii")
    layout.configuration(_LOGGING).write_text(logging, encoding="ascii")
    if not (data / "meta.properties").exists():
        _format(name, layout, configuration, programs)


def _format(name: str, layout: Layout, configuration: Path, programs: Programs) -> None:
    command = (
        *_java(layout, programs, SHORT_LIVED),
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        CLUSTER_ID,
        "--config",
        str(configuration),
    )
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PartFailed(
            f"{name}: its storage could not be formatted: {done.stdout}{done.stderr}"
        )
