"""The processes of the demo: started together, watched, gone with the demo.

Pid files lie in the stack's directory, so that what clears up after a stack whose owner
was killed clears up these too.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from balance_shared.settings import (
    ConnectorSettings,
    MetricsSettings,
    ServiceSettings,
    StorageSettings,
    environment_names,
)
from balance_stack.errors import PartFailed
from balance_stack.layout import Layout
from balance_stack.process import Part, await_ready, end, find, log_tail, start

ANSWER_S_MAX = 2.0
"""How long a service may take to say whether it is ready, in seconds."""

STOP_S_MAX = 8.0
"""How long a process may take to end before it is killed, in seconds."""


class Children:
    """The demo's own processes.

    Args:
        layout: where pid files and logs lie.
        environment: settings that all of them have in common.
    """

    def __init__(self, layout: Layout, environment: Mapping[str, str]) -> None:
        self._layout = layout
        self._environment = {**_others_settings(), **environment}
        self._names: list[str] = []

    def stand_in(self, venue: str, *options: str) -> dict[str, Any]:
        """Start a stand-in venue and wait until it listens.

        Returns:
            Its addresses and keys, as `balancebus simulate --json` prints them.

        Raises:
            PartFailed: it does not come up.
        """
        name = f"stand-in-{venue}"
        log = self._layout.log(name)
        command = ("simulate", venue, "--json", *options)
        self._start(name, command, {}, lambda: _told(log, "ws_url"))
        return _told(log, "ws_url")

    def service(self, name: str, *command: str, **settings: str) -> str:
        """Start a service and wait until it is ready.

        Args:
            name: of the process, for people.
            command: arguments of `balancebus`.
            settings: names without prefix, in lower case, and values.

        Returns:
            The base URL of its HTTP pages.

        Raises:
            PartFailed: it does not come up.
        """
        log = self._layout.log(name)
        given = {f"BALANCEBUS_{key.upper()}": text for key, text in settings.items()}
        here = {"BALANCEBUS_HTTP_HOST": "127.0.0.1", "BALANCEBUS_HTTP_PORT": "0"}
        self._start(name, command, here | given, lambda: _require_ready(log))
        return str(_told(log, "http")["http"])

    def require_alive(self) -> None:
        """Look whether every process runs, those of the stack too.

        Raises:
            PartFailed: one has ended; the text names it and holds the end of its log.
        """
        for pid_file in self._layout.pid_files():
            if find(pid_file) is None:
                name = pid_file.stem
                tail = log_tail(self._layout.log(name))
                raise PartFailed(f"{name} ended unexpectedly{tail}")

    def end(self) -> None:
        """End all of them, cleanly if they let themselves."""
        files = [self._layout.pid_file(name) for name in self._names]
        with ThreadPoolExecutor(max(1, len(files))) as pool:
            list(pool.map(lambda file: end(file, signal.SIGTERM, STOP_S_MAX), files))
        self._names.clear()

    def _start(
        self,
        name: str,
        command: tuple[str, ...],
        settings: Mapping[str, str],
        check: Callable[[], Any],
    ) -> None:
        part = Part(
            name=name,
            address="127.0.0.1",
            command=(sys.executable, "-m", "balance_cli", *command),
            log=self._layout.log(name),
            pid_file=self._layout.pid_file(name),
            prepare=lambda: None,
            check=check,
            environment={**self._environment, **settings},
        )
        self._names.append(name)
        start(part)
        await_ready(part)


@contextmanager
def children(
    layout: Layout, environment: Mapping[str, str], *, guarded: bool
) -> Iterator[Children]:
    """Give the demo's processes; they end with the block, or with this process.

    Args:
        layout: where pid files and logs lie.
        environment: settings that all of them have in common.
        guarded: whether a stack in the same directory sees to what a killed demo
            leaves behind.
    """
    layout.make_directories()
    guard = None if guarded else _guard(layout.directory)
    family = Children(layout, environment)
    try:
        yield family
    finally:
        family.end()
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            guard.wait()


def _guard(directory: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 — our own command
        (sys.executable, "-m", "balance_stack.watchdog", str(directory)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _others_settings() -> dict[str, str]:
    """Return empty values for what the user has set for a service of theirs.

    Where Kafka and the registry are, and how to log in, stays.
    """
    everyones = set(environment_names(ServiceSettings))
    return {
        name: ""
        for settings in (ConnectorSettings, StorageSettings, MetricsSettings)
        for name in environment_names(settings)
        if name not in everyones and name in os.environ
    }


def _told(log: Path, key: str) -> dict[str, Any]:
    """Return the first JSON line of a log that has a key.

    Raises:
        LookupError: there is none yet.
    """
    for text in log.read_text(errors="replace").splitlines():
        if text.startswith("{") and f'"{key}"' in text:
            line: dict[str, Any] = json.loads(text)
            return line
    raise LookupError(f"no {key} in {log}")


def _require_ready(log: Path) -> None:
    url = _told(log, "http")["http"]
    answer = requests.get(f"{url}/readyz", timeout=ANSWER_S_MAX)
    if not answer.ok:
        raise LookupError(answer.text)


__all__ = ["Children", "PartFailed", "children"]
