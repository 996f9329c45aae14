"""Kafka, registry and PostgreSQL for a demo or a test run, from wherever they are."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from balance_stack.endpoints import Endpoints, named_endpoints
from balance_stack.errors import StackRefused
from balance_stack.ports import free_ports
from balance_stack.stack import Stack


class Restarts(Protocol):
    """Whoever runs parts, and so can end and start them."""

    def kill(self, part: str) -> None:
        """End one part as a crash would."""

    def start(self, part: str) -> None:
        """Start a part again, with its data and at its address, and wait for it."""


@dataclass(frozen=True)
class RunningStack:
    """Parts that run, and who runs them.

    Attributes:
        endpoints: Where they can be reached.
        runner: Who can kill and restart them; None if they run elsewhere.
    """

    endpoints: Endpoints
    runner: Restarts | None = None

    @property
    def local(self) -> Stack | None:
        """The stack of processes on this machine, if that is what runs."""
        return self.runner if isinstance(self.runner, Stack) else None

    def kill(self, part: str) -> None:
        """End one part as a crash would.

        Args:
            part: Such as ``kafka-1``, ``registry``, ``postgres``.

        Raises:
            StackRefused: If the parts run elsewhere, or there is no such part.
        """
        self._required().kill(part)

    def start(self, part: str) -> None:
        """Start a part again, with its data and at its address, and wait for it.

        Args:
            part: Such as ``kafka-1``, ``registry``, ``postgres``.

        Raises:
            StackRefused: If the parts run elsewhere, or there is no such part.
            PartFailed: If it does not come up.
        """
        self._required().start(part)

    def _required(self) -> Restarts:
        if self.runner is None:
            raise StackRefused(
                "these parts were not started here, so they are not killed here: "
                "unset the BALANCEBUS_* addresses, or start a local stack"
            )
        return self.runner


@contextmanager
def running_stack(
    directory: Path | None = None,
    *,
    brokers: int = 1,
    environment: Mapping[str, str] | None = None,
    docker: bool = True,
    quiet: bool = False,
    brief: bool = False,
) -> Iterator[RunningStack]:
    """Use the parts that are there, or start some for as long as the block lasts.

    In this order: the parts that the environment names (all three addresses; nothing
    is started), containers where a Docker engine and the images are there already
    (for one broker), processes on this machine, on free ports.

    Args:
        directory: Where a local stack lives; None for a temporary directory, deleted
            at the end. In a named one the logs stay.
        brokers: Number of Kafka brokers of a local stack.
        environment: Environment variables; None for those of this process.
        docker: Whether containers may be used.
        quiet: Whether to show no progress while downloading.
        brief: Whether a local stack runs for minutes: see ``Stack``.

    Yields:
        The running parts; each has answered.

    Raises:
        StackRefused: If the environment names some but not all parts.
        DownloadFailed: If a program of the local stack cannot be fetched.
        PartFailed: If a part does not come up.
    """
    named = named_endpoints(os.environ if environment is None else environment)
    if named:
        yield RunningStack(named)
    elif docker and brokers == 1 and _docker_is_usable():
        from balance_stack.docker import containers  # noqa: PLC0415 - heavy, optional

        with containers() as contained:
            yield RunningStack(contained.endpoints, contained)
    else:
        with local_stack(directory, brokers=brokers, quiet=quiet, brief=brief) as local:
            yield RunningStack(local.endpoints, local)


@contextmanager
def local_stack(
    directory: Path | None = None,
    *,
    brokers: int = 1,
    quiet: bool = False,
    brief: bool = False,
) -> Iterator[Stack]:
    """Run a stack on this machine, on free ports, for as long as the block lasts.

    Parts and data are gone after the block, or with this process if it is killed.

    Args:
        directory: Where it lives; None for a temporary directory.
        brokers: Number of Kafka brokers.
        quiet: Whether to show no progress while downloading.
        brief: Whether it runs for minutes: see ``Stack``.

    Yields:
        The stack, up.

    Raises:
        DownloadFailed: If a program cannot be fetched.
        PartFailed: If a part does not come up; a temporary directory is kept then,
            for its logs.
    """
    home = directory or Path(tempfile.mkdtemp(prefix="balance-bus-"))
    ports = free_ports(brokers)
    stack = Stack(home, ports, ephemeral=True, quiet=quiet, brief=brief)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
    if directory is None:
        shutil.rmtree(home, ignore_errors=True)


def _docker_is_usable() -> bool:
    from balance_stack.docker import is_usable  # noqa: PLC0415 - heavy, optional

    return is_usable()
