"""A service ends with the exit code that says why, and stops when it is asked to."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from balance_shared.errors import ExitCode, SettingsError
from balance_shared.service import STALL_S_MAX, Parts, Pulse, refuse

PROGRAM = """
import asyncio, sys
from balance_shared import errors
from balance_shared.service import run_service
from balance_shared.settings import ServiceSettings

async def main(parts):
{body}

settings = ServiceSettings(http_host="127.0.0.1", http_port={port})
sys.exit(run_service("tested", settings, main))
"""

UNTIL_ASKED = """
try:
    print("up", flush=True)
    await asyncio.Event().wait()
finally:
    print("draining", flush=True)
"""


@contextmanager
def service(body, port=0):
    """Run a service whose main function is given; it is killed at the end."""
    text = PROGRAM.format(body=textwrap.indent(body, "    "), port=port)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-W", "error", "-c", text]
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(body, port=0):
    """Return the exit code and the log of a service that ends by itself."""
    with service(body, port) as process:
        _, log = process.communicate()
        return process.returncode, [json.loads(line) for line in log.splitlines()]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return", 0),
        ("raise ZeroDivisionError", 1),
        ("raise errors.BusInterrupted", 1),
        ("raise errors.SettingsError('too bad')", 2),
        ("raise errors.VenueRefused('too bad')", 3),
        ("raise errors.PublishError('too bad')", 4),
    ],
)
def test_exit_code_says_why_it_ended(body, code):
    """The last line of the log says the same; only bugs show where they are."""
    returned, log = ended(body)
    assert code == returned
    assert code == log[-1]["exit_code"]
    assert {"tested"} == {line["service"] for line in log}
    assert (code == 1) == ("exception" in log[-1])
    assert code < 2 or log[-1]["error"] == "too bad"


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        (["VenueRefused('a')", "VenueRefused('b')"], 3),
        (["VenueRefused('a')", "PublishError('b')"], 3),
        (["VenueRefused('a')", "BusInterrupted('b')"], 1),
    ],
)
def test_several_errors_at_once_end_with_one_code(errors, code):
    """Feeds that fail together end as one would; a bug among them wins."""
    first, second = errors
    inner = f"ExceptionGroup('', [errors.{second}])"
    returned, log = ended(f"raise ExceptionGroup('', [errors.{first}, {inner}])")
    assert code == returned
    assert code == log[-1]["exit_code"]


def test_cancellation_from_within_is_a_bug():
    """A service that nobody asked to stop did not end well."""
    returned, log = ended("raise asyncio.CancelledError")
    assert returned == 1
    assert "cancelled from within" in log[-1]["error"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_and_ends_well(number):
    """The service sees to its own end, and that is a good one."""
    with service(UNTIL_ASKED) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        out, log = process.communicate()
    assert (0, "draining\n") == (process.returncode, out)
    assert '"event": "stopping"' in log


def test_error_while_draining_is_told():
    """What could not be published on the way out is no good end."""
    body = UNTIL_ASKED + "    raise errors.PublishError('lost')\n"
    with service(body) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 4


def test_second_signal_ends_at_once():
    """Whoever asks twice does not want to wait."""
    with service(UNTIL_ASKED + "    await asyncio.Event().wait()\n") as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "draining\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 1


def get(url):
    """Return status and JSON of a page."""
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_pages_follow_the_service():
    """The pages are there from the start, and readiness is what the service says."""
    body = (
        """
parts.not_ready("kafka", "connecting")
print("up", flush=True)
await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
parts.ready("kafka")
"""
        + UNTIL_ASKED
    )
    text = PROGRAM.format(body=textwrap.indent(body, "    "), port=0)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, text=True, **pipes) as process:
        url = json.loads(process.stderr.readline())["http"]
        assert process.stdout.readline() == "up\n"
        assert (200, {"status": "ok"}) == get(f"{url}/healthz")
        missing = {"ready": False, "not_ready": {"kafka": "connecting"}}
        assert (503, missing) == get(f"{url}/readyz")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "up\n"
        assert (200, {"ready": True, "not_ready": {}}) == get(f"{url}/readyz")
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            metrics = answer.read().decode()
        assert 'balancebus_build_info{service="tested",version="' in metrics
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


def test_taken_port_is_a_setting_to_change():
    """It is told in one line, by name, and the service does not start."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        returned, log = ended("print('never')", port)
    assert returned == 2
    (line,) = log
    assert line["error"].startswith(
        f"BALANCEBUS_HTTP_PORT: cannot listen on 127.0.0.1:{port}: "
    )
    assert "in use" in line["error"]


def test_parts_are_missing_until_they_are_ready():
    """Parts named at the start are not ready; others may come and go."""
    parts = Parts("kafka", "venue")
    assert {"kafka": "starting", "venue": "starting"} == parts.missing()
    parts.ready("kafka")
    parts.not_ready("venue", "no picture yet")
    assert {"venue": "no picture yet"} == parts.missing()
    parts.ready("venue")
    parts.ready("venue")
    assert {} == parts.missing()


async def test_pulse_fails_where_the_loop_stands_still():
    """Each beat proves that the event loop turns."""
    pulse = Pulse()
    pulse._beat -= STALL_S_MAX + 1
    assert pulse.failing() == "event loop stood still for 31 s"
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(0)
    assert pulse.failing() is None
    beating.cancel()


def test_refused_settings_are_lines(capsys):
    """Each line says whose it is."""
    assert ExitCode.SETTINGS == refuse(SettingsError("one\ntwo"))
    assert capsys.readouterr().out == "balancebus: one\nbalancebus: two\n"
