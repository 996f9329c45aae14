"""The program's end says whether it did what it was asked."""

import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("balancebus")

STARTING = """
import os
import sys
from balance_cli import main
main.import_module = lambda name: os.kill(os.getpid(), {number})
sys.argv[1:] = {arguments}
main.main()
"""
"""A program that gets a signal while it looks for its command."""

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def ended(arguments, number):
    """Return the exit code of a program that gets a signal as it starts."""
    text = STARTING.format(number=int(number), arguments=arguments.split())
    return subprocess.run([sys.executable, "-c", text], check=False).returncode


@SIGNALS
@pytest.mark.parametrize(
    "arguments",
    [
        "connector kraken",
        "storage",
        "proof",
        "metrics",
        "alerting",
        "simulate kraken --rate 5",
    ],
)
def test_service_that_is_stopped_while_it_starts_is_done(arguments, number):
    """It ends as it does later on, by either signal."""
    assert 0 == ended(arguments, number)


@SIGNALS
@pytest.mark.parametrize(
    "arguments",
    ["verify", "storage migrate", "proof status", "topics apply", "storage --help"],
)
def test_command_that_is_broken_off_did_not_succeed(arguments, number):
    """Exit code 0 would say that all is right."""
    assert 128 + number == ended(arguments, number)


@contextmanager
def silent_server():
    """Give a port that takes connections and says nothing, and who came."""
    came = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            with server.accept()[0] as connection:
                came.set()
                while connection.recv(1024):
                    pass

        taking = threading.Thread(target=take, daemon=True)
        taking.start()
        yield server.getsockname()[1], came
        taking.join(60)


@SIGNALS
@pytest.mark.parametrize(
    ("arguments", "setting", "value"),
    [
        ("verify", "POSTGRES_DSN", "postgresql://somebody@127.0.0.1:{port}/books"),
        ("storage migrate", "POSTGRES_DSN", "postgresql://me@127.0.0.1:{port}/books"),
        ("schemas check", "SCHEMA_REGISTRY_URL", "http://127.0.0.1:{port}/"),
        ("topics apply", "KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:{port}"),
    ],
)
def test_command_that_waits_is_broken_off(arguments, setting, value, number):
    """It ends with what shells have for the signal, and leaves no connection."""
    with silent_server() as (port, came):
        setting = f"BALANCEBUS_{setting}={value.format(port=port)}"
        command = ["/usr/bin/env", setting, PROGRAM, *arguments.split()]
        with subprocess.Popen(command) as process:
            assert came.wait(60)
            process.send_signal(number)
            assert 128 + number == process.wait(60)
