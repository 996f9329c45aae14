"""`balancebus topics apply` on the real Kafka."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from balance_schemas.topics import TOPICS

PROGRAM = Path(sys.executable).with_name("balancebus")


def run(command, **settings):
    """Return the exit code and the lines of a command of `balancebus topics`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    done = subprocess.run(
        [PROGRAM, "topics", command],
        env=kept | settings | {"COLUMNS": "40"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.integration
def test_apply_creates_then_finds_nothing_to_do(stack):
    """What was changed is told, and a second time there is nothing to change."""
    prefix = f"cli_{uuid.uuid4().hex}"
    settings = {
        "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": stack.endpoints.kafka_bootstrap_servers,
        "BALANCEBUS_TOPIC_PREFIX": prefix,
        "BALANCEBUS_TOPIC_PARTITIONS": "2",
    }
    code, lines = run("apply", **settings)
    assert code == 0
    assert f"created {prefix}.events.v1: 2 partitions, 1 replicas" in lines
    assert lines[-1] == f"{len(TOPICS)} topics, {len(TOPICS)} changes"
    assert (0, [f"{len(TOPICS)} topics, 0 changes"]) == run("apply", **settings)


@pytest.mark.integration
def test_apply_tells_what_kafka_refuses(stack):
    """More copies than brokers end with the bus's exit code."""
    code, _ = run(
        "apply",
        BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS=stack.endpoints.kafka_bootstrap_servers,
        BALANCEBUS_TOPIC_PREFIX=f"cli_{uuid.uuid4().hex}",
        BALANCEBUS_TOPIC_REPLICATION="9",
    )
    assert code == 4


def test_kafka_that_does_not_answer_is_one_line():
    """Who waits for an answer gets one, and not what clients log meanwhile."""
    code, lines = run("apply", BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert 1 == code
    assert ["balancebus: Kafka at 127.0.0.1:1 does not answer"] == lines


def test_list_needs_no_kafka():
    """What is on each topic is known without asking."""
    code, lines = run("list", BALANCEBUS_TOPIC_PREFIX="mine")
    text = "\n".join(lines)
    assert code == 0
    for topic in TOPICS:
        assert topic.full_name("mine") in text
        assert topic.description in text


@pytest.mark.parametrize("command", ["list", "apply"])
def test_bad_settings_are_a_line(command):
    """Neither command shows a traceback."""
    code, lines = run(command, BALANCEBUS_TOPIC_PARTITIONS="x")
    assert code == 2
    (line,) = lines
    assert line.startswith("balancebus: BALANCEBUS_TOPIC_PARTITIONS: ")
