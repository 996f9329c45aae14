"""Whole services as processes, as Kubernetes would run them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-m", "balance_cli"]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(check: Callable[[], Any], what: str, limit_s: float = 120.0) -> Any:
    """Return the first true value of `check`; fail the test after the limit."""
    end_s = time.monotonic() + limit_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.05)


def get(url: str) -> tuple[int, str]:
    """Return status and body of a page; (0, reason) where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def post(url: str, body: dict) -> Any:
    """Post JSON and return the JSON answer."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


class Service:
    """One command of the program, which can be killed and started again."""

    def __init__(self, log: Path, environment: dict[str, str], *command: str) -> None:
        self.port = free_port()
        self.log = log
        self._command = [*PROGRAM, *command]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")},
            **environment,
            "BALANCEBUS_HTTP_HOST": "127.0.0.1",
            "BALANCEBUS_HTTP_PORT": str(self.port),
        }
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        """Start the process; its output goes to the end of the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(timeout=60)

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def ready(self) -> bool:
        """Whether it does its job; one that has ended fails the test at once."""
        code = self.process.poll()
        said = self.log.read_text(errors="replace")[-2000:] if code is not None else ""
        assert code is None, f"{self._command} ended with {code}: {said}"
        return get(f"http://127.0.0.1:{self.port}/readyz")[0] == 200

    def readiness(self) -> str:
        """Return what it says of the parts that are not ready."""
        return get(f"http://127.0.0.1:{self.port}/readyz")[1]

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels."""
        total = 0.0
        for line in get(f"http://127.0.0.1:{self.port}/metrics")[1].splitlines():
            sample, _, value = line.rpartition(" ")
            wanted = all(f'{key}="{text}"' in sample for key, text in labels.items())
            if sample.partition("{")[0] == name and wanted:
                total += float(value)
        return total


class Venue:
    """A stand-in venue in its own process."""

    def __init__(self, log: Path, *options: str, name: str = "kraken") -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*PROGRAM, "simulate", name, "--json", *options],
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self.said = said = json.loads(self.process.stdout.readline())
        self.control = said["control_url"]
        self.environment = {
            "BALANCEBUS_API_KEY": said["api_keys"][0],
            "BALANCEBUS_API_SECRET": said["api_secret"],
            "BALANCEBUS_WS_URL": said["ws_url"],
            "BALANCEBUS_REST_URL": said["rest_url"],
        }
        if "api_passphrase" in said:
            self.environment["BALANCEBUS_API_PASSPHRASE"] = said["api_passphrase"]

    def fault(self, name: str, **arguments: Any) -> None:
        """Play a fault."""
        post(f"{self.control}/fault", {"fault": name, **arguments})

    def traffic(self, rate: float, **arguments: Any) -> None:
        """Make so many updates a second from now on."""
        post(f"{self.control}/traffic", {"rate": rate, **arguments})

    def quiet(self) -> None:
        """Stop the traffic."""
        post(f"{self.control}/traffic", {"stop": True})


@contextmanager
def ended(*parts: Service | Venue) -> Iterator[None]:
    """End processes at the end of the context, however it ends."""
    try:
        yield
    finally:
        for part in parts:
            part.process.kill()
            part.process.wait(timeout=60)
            if part.process.stdout:
                part.process.stdout.close()
