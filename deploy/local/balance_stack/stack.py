"""One local stack: a directory with the data, logs and processes of its parts."""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil

from balance_stack import process
from balance_stack.endpoints import Endpoints, local_endpoints
from balance_stack.errors import StackError, StackRefused, require_part
from balance_stack.kafka import kafka_part
from balance_stack.layout import Layout
from balance_stack.ports import Ports
from balance_stack.postgres import postgres_part
from balance_stack.process import Part
from balance_stack.programs import (
    Programs,
    download_progress,
    exclusive,
    installed_programs,
)
from balance_stack.registry import registry_part

# What ends a part cleanly without waiting for its clients; SIGTERM where not named.
_STOP_SIGNALS = {"postgres": signal.SIGINT}


@dataclass(frozen=True)
class PartStatus:
    """What is known about a part now.

    Attributes:
        name: Such as ``kafka-1``.
        running: Whether its process runs.
        address: ``host:port`` or URL.
        log: Its log file.
        memory_bytes: Resident memory of it and its children, memory that they share
            counted once for each; 0 if it does not run.
    """

    name: str
    running: bool
    address: str
    log: Path
    memory_bytes: int


@dataclass
class Stack:
    """A stack on this machine: Kafka brokers, a schema registry and PostgreSQL.

    The value describes it; ``up`` and ``down`` make it run and end, from this process
    or another. Parts are named ``kafka-1`` (and so on), ``registry``, ``postgres``.
    All data survives ``kill`` and ``start``, and ``down`` and ``up``.

    Attributes:
        directory: Holds ``data/``, ``logs/``, ``config/``, ``run/`` (pid files) and
            ``state.json``; made if missing.
        ports: Where the parts listen; as many brokers as Kafka ports.
        ephemeral: Whether parts and data go away with this process, even if it is
            killed. Logs stay.
        quiet: Whether to show no progress while downloading.
        brief: Whether it runs for minutes: a quick start matters more than speed then.
    """

    directory: Path
    ports: Ports
    ephemeral: bool = False
    quiet: bool = False
    brief: bool = False
    _programs: Programs | None = field(default=None, repr=False)
    _watchdog: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @classmethod
    def load(cls, directory: Path) -> "Stack | None":
        """Find the stack that was last started in a directory.

        Args:
            directory: The stack's directory.

        Returns:
            The stack, or None if there is none.

        Raises:
            StackError: If its state file is damaged.
        """
        state = Layout(directory.absolute()).state
        try:
            return cls(directory, Ports.from_json(json.loads(state.read_text())))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise StackError(f"{state} is damaged: delete {directory}") from error

    @property
    def layout(self) -> Layout:
        """Where things lie in the directory."""
        return Layout(self.directory.absolute())

    @property
    def endpoints(self) -> Endpoints:
        """Where the parts can be reached once they run."""
        return local_endpoints(
            self.ports.kafka, self.ports.registry, self.ports.postgres
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""
        nodes = range(1, len(self.ports.kafka) + 1)
        return (*(f"kafka-{node}" for node in nodes), "registry", "postgres")

    def fetch(self) -> None:
        """Fetch the programs that are missing, showing progress; ``up`` does it too.

        Raises:
            DownloadFailed: If a program cannot be fetched.
        """
        if self._programs is None:
            self._programs = installed_programs(download_progress(quiet=self.quiet))

    def up(self) -> Endpoints:
        """Start every part that does not run, all at once, and wait for them.

        Returns:
            Where the parts can be reached; each has answered.

        Raises:
            StackRefused: If the directory belongs to a stack with other brokers.
            DownloadFailed: If a program cannot be fetched.
            PartFailed: If a part does not come up; then all are stopped again.
        """
        with exclusive(self.layout.lock):
            self._claim()
            try:
                self._start_together()
            except BaseException:
                self._end_all()
                raise
        return self.endpoints

    def down(self) -> None:
        """End every part, cleanly if it lets itself; harmless if none runs."""
        with exclusive(self.layout.lock):
            self._end_all()

    def status(self) -> list[PartStatus]:
        """Look at every part.

        Returns:
            One status for each part, in the order of ``parts``.
        """
        return [self._status(name) for name in self.parts]

    def is_running(self) -> bool:
        """Tell whether every part has a process.

        Returns:
            False if at least one has none.
        """
        return all(process.find(self.layout.pid_file(name)) for name in self.parts)

    def start(self, part: str) -> None:
        """Start one part again, with its data and on its port, and wait for it.

        Args:
            part: Its name.

        Raises:
            StackRefused: If there is no such part.
            PartFailed: If it does not come up.
        """
        require_part(part, self.parts)
        described = self._describe(part)
        process.start(described)
        process.await_ready(described)

    def kill(self, part: str) -> None:
        """End one part with SIGKILL, as a crash would; harmless if it does not run.

        Args:
            part: Its name.

        Raises:
            StackRefused: If there is no such part.
        """
        require_part(part, self.parts)
        process.end(self.layout.pid_file(part), signal.SIGKILL, process.STOP_LIMIT_S)

    def _claim(self) -> None:
        known = Stack.load(self.directory)
        if known and len(known.ports.kafka) != len(self.ports.kafka):
            raise StackRefused(
                f"{self.directory} holds {len(known.ports.kafka)} Kafka broker(s), "
                f"not {len(self.ports.kafka)}: delete its data (balancebus stack down "
                "--delete-data) or choose another directory"
            )
        self.layout.make_directories()
        self.layout.state.write_text(json.dumps(self.ports.to_json()))
        if self.ephemeral and self._watchdog is None:
            self._watchdog = _start_watchdog(self.layout.directory)

    def _start_together(self) -> None:
        described = [self._describe(name) for name in self.parts]
        with ThreadPoolExecutor(len(described)) as pool:
            starting = [pool.submit(_start_and_wait, part) for part in described]
            try:
                for each in as_completed(starting):
                    each.result()
            except BaseException:
                # The others stop waiting once their processes are gone.
                self._end_processes()
                raise

    def _describe(self, name: str) -> Part:
        self.fetch()
        programs = cast("Programs", self._programs)
        if name == "registry":
            return registry_part(self.layout, self.ports, programs)
        if name == "postgres":
            return postgres_part(self.layout, self.ports, programs)
        return kafka_part(
            self.parts.index(name),
            self.layout,
            self.ports,
            programs,
            brief=self.brief or len(self.ports.kafka) > 1,
        )

    def _end_all(self) -> None:
        self._end_processes()
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None

    def _end_processes(self) -> None:
        with ThreadPoolExecutor(len(self.parts)) as pool:
            list(pool.map(self._end, self.parts))

    def _end(self, name: str) -> None:
        by = _STOP_SIGNALS.get(name, signal.SIGTERM)
        process.end(self.layout.pid_file(name), by, process.STOP_LIMIT_S)

    def _status(self, name: str) -> PartStatus:
        found = process.find(self.layout.pid_file(name))
        return PartStatus(
            name=name,
            running=found is not None,
            address=self._address(name),
            log=self.layout.log(name),
            memory_bytes=_memory_bytes(found) if found else 0,
        )

    def _address(self, name: str) -> str:
        if name == "registry":
            return self.endpoints.schema_registry_url
        if name == "postgres":
            return self.endpoints.postgres_dsn
        return f"127.0.0.1:{self.ports.kafka[self.parts.index(name)]}"


def _start_and_wait(part: Part) -> None:
    process.start(part)
    process.await_ready(part)


def _start_watchdog(directory: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own command
        (sys.executable, "-m", "balance_stack.watchdog", str(directory)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _memory_bytes(found: psutil.Process) -> int:
    try:
        family = [found, *found.children(recursive=True)]
        return sum(int(member.memory_info().rss) for member in family)
    except psutil.NoSuchProcess:
        return 0
