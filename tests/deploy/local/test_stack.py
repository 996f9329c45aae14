"""The stack's directory and its refusals, and the real parts at work."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from balance_stack.endpoints import local_endpoints
from balance_stack.errors import StackError, StackRefused
from balance_stack.ports import free_ports
from balance_stack.running import RunningStack, local_stack, running_stack
from balance_stack.stack import Stack

WIDEST_RECORD_BYTES = 1_000_000


def test_a_directory_without_a_stack_loads_as_none(tmp_path: Path) -> None:
    """There is nothing to show or to stop."""
    assert Stack.load(tmp_path) is None


def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    """The error says which file is damaged."""
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(StackError, match=r"state\.json is damaged"):
        Stack.load(tmp_path)


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    """The error lists the parts that there are."""
    stack = Stack(tmp_path, free_ports(brokers=1))
    with pytest.raises(StackRefused, match="kafka-1, registry, postgres"):
        stack.kill("kafka-2")


def test_data_of_one_broker_are_not_opened_by_three(tmp_path: Path) -> None:
    """The number of brokers is fixed by the data."""
    (tmp_path / "state.json").write_text(json.dumps(free_ports(brokers=1).to_json()))
    with pytest.raises(StackRefused, match="holds 1 Kafka broker"):
        Stack(tmp_path, free_ports(brokers=3)).up()


def test_stopping_what_does_not_run_is_harmless(tmp_path: Path) -> None:
    """Down may be called at any time."""
    stack = Stack(tmp_path, free_ports(brokers=1))
    stack.down()
    assert not stack.is_running()


@pytest.mark.integration
@pytest.mark.parametrize("brief", [True, False])
def test_a_brief_stack_has_a_kafka_that_starts_quickly(
    tmp_path: Path, brief: bool
) -> None:
    """Java's second compiler pays only where a stack stays."""
    stack = Stack(tmp_path, free_ports(brokers=1), quiet=True, brief=brief)
    assert brief == ("-XX:TieredStopAtLevel=1" in stack._describe("kafka-1").command)


def test_named_parts_are_used_and_never_killed() -> None:
    """Where the environment names the parts nothing is started, nothing is ended."""
    named = local_endpoints((1,), 2, 3)
    with running_stack(environment=named.environment()) as running:
        assert running == RunningStack(named)
        with pytest.raises(StackRefused, match="not started here"):
            running.kill("kafka-1")


async def _create_topic(servers: str, name: str, replicas: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, replicas)])
    finally:
        await admin.close()


async def _produce(servers: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        max_request_size=2 * WIDEST_RECORD_BYTES,
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def _consume_first(servers: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id="test-stack",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 120)
        return record.value
    finally:
        await consumer.stop()


@pytest.mark.integration
async def test_kafka_keeps_records_over_a_crash(stack: RunningStack) -> None:
    """A record of nearly 1 MB is read back after SIGKILL and a restart."""
    servers = stack.endpoints.kafka_bootstrap_servers
    value = bytes(WIDEST_RECORD_BYTES)
    await _create_topic(servers, "crash", 1)
    await _produce(servers, "crash", value)
    if stack.runner:
        await asyncio.to_thread(stack.kill, "kafka-1")
        await asyncio.to_thread(stack.start, "kafka-1")
    assert value == await _consume_first(servers, "crash")


@pytest.mark.integration
def test_the_registry_refuses_an_incompatible_change(stack: RunningStack) -> None:
    """Rules and schemas outlive a crash: the change gets a 409, the id stays."""
    url = stack.endpoints.schema_registry_url

    def register(field: str) -> requests.Response:
        fields = [{"name": field, "type": "string"}]
        schema = {"type": "record", "name": "A", "fields": fields}
        return requests.post(
            f"{url}/subjects/crash-value/versions",
            json={"schema": json.dumps(schema)},
            timeout=60,
        )

    requests.put(
        f"{url}/config/crash-value",
        json={"compatibility": "FULL_TRANSITIVE"},
        timeout=60,
    ).raise_for_status()
    schema_id = register("x").json()["id"]
    if stack.runner:
        stack.kill("registry")
        stack.start("registry")
    assert register("y").status_code == requests.codes.conflict
    assert register("x").json()["id"] == schema_id


@pytest.mark.integration
def test_postgres_keeps_rows_over_a_crash(stack: RunningStack) -> None:
    """Committed rows are there after SIGKILL and a restart."""
    dsn = stack.endpoints.postgres_dsn
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE crash AS SELECT 0.1::numeric AS amount")
    if stack.runner:
        stack.kill("postgres")
        stack.start("postgres")
    with psycopg.connect(dsn) as connection:
        version = connection.info.server_version
        rows = connection.execute("SELECT amount::text FROM crash").fetchall()
    assert (version // 10_000, rows) == (18, [("0.1",)])


@pytest.mark.integration
def test_up_again_changes_nothing(stack: RunningStack) -> None:
    """A stack that runs is left alone."""
    if stack.local is None:
        pytest.skip("the parts run elsewhere")
    pid_files = stack.local.layout.pid_files()
    before = [pid_file.read_text() for pid_file in pid_files]
    assert stack.local.up() == stack.endpoints
    assert before == [pid_file.read_text() for pid_file in pid_files]


@pytest.mark.integration
async def test_three_brokers_replicate(tmp_path: Path) -> None:
    """A topic with three replicas takes a record that two brokers must acknowledge."""
    running = local_stack(tmp_path, brokers=3, quiet=True)
    stack = await asyncio.to_thread(running.__enter__)
    try:
        servers = stack.endpoints.kafka_bootstrap_servers
        await _create_topic(servers, "three", 3)
        await asyncio.to_thread(stack.kill, "kafka-3")
        await _produce(servers, "three", b"value")
        assert await _consume_first(servers, "three") == b"value"
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
    assert not stack.is_running()


OWNER = """
import os, signal, sys
from pathlib import Path
from balance_stack.running import local_stack
with local_stack(Path(sys.argv[1]), quiet=True):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.integration
def test_nothing_outlives_a_killed_owner(tmp_path: Path) -> None:
    """SIGKILL of the process that owns a stack ends the parts and deletes the data."""
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command) as owner:
        assert owner.wait() == -signal.SIGKILL
    left = [p for p in psutil.process_iter() if _mentions(p, tmp_path)]
    psutil.wait_procs(left, timeout=120)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "config",
        "lock",
        "logs",
        "run",
    ]
    assert not any(_mentions(p, tmp_path) for p in psutil.process_iter())


def _mentions(process: psutil.Process, directory: Path) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and any(str(directory) in word for word in process.cmdline())
    except psutil.Error:
        return False
