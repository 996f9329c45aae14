"""Starting and ending the processes of a stack, whoever started them.

A process is known by its pid file, which holds the pid and the whole command line.
It counts as ours only while that pid still runs that command line: a pid that the
system has given to somebody else in the meantime is never signalled.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_fixed,
)

from balance_stack.errors import PartFailed

READY_LIMIT_S = 180.0
"""What hangs is found by it; two Javas that start on a busy machine take a minute."""

STOP_LIMIT_S = 20.0

_READY_INTERVAL_S = 0.1
_LOG_LINES = 12

# Popen objects of processes that this process started. They are held until the
# process is reaped: Python warns about every one that is dropped earlier.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class User:
    """Whom a child process runs as, where it may not run as root.

    Attributes:
        uid: User id.
        gid: Group id.
    """

    uid: int
    gid: int


@dataclass(frozen=True)
class Part:
    """One process of the stack: how to start it, and how to know that it works.

    Attributes:
        name: Such as ``kafka-1``; names its log and pid file.
        address: ``host:port`` or URL, for people.
        command: The command line, naming a path of this stack: it tells our process
            from every other one.
        log: Where its output goes, appended.
        pid_file: Where its pid is kept while it runs.
        prepare: Makes its data directory; called before each start.
        check: Returns when the part does its work, raises while it does not.
        user: Whom to run it as; None for the current user.
        environment: Variables to set beside those of this process.
    """

    name: str
    address: str
    command: tuple[str, ...]
    log: Path
    pid_file: Path
    prepare: Callable[[], None]
    check: Callable[[], None]
    user: User | None = None
    environment: dict[str, str] = field(default_factory=dict)


def start(part: Part) -> None:
    """Start a part that does not run; do nothing if it does.

    Args:
        part: What to start. It may not be ready yet when this returns.

    Raises:
        PartFailed: If its data cannot be prepared or its program not be run.
    """
    if find(part.pid_file):
        return
    try:
        part.prepare()
        child = _spawn(part)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PartFailed(
            f"{part.name} could not be started: {error}{log_tail(part.log)}"
        ) from error
    _children[child.pid] = child
    record(part.pid_file, child.pid, part.command)


def _spawn(part: Part) -> subprocess.Popen[bytes]:
    with part.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            part.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=os.environ | part.environment,
            # Ctrl-C in the user's terminal must not reach it.
            start_new_session=True,
            user=part.user.uid if part.user else None,
            group=part.user.gid if part.user else None,
            extra_groups=[] if part.user else None,
        )


def record(pid_file: Path, pid: int, command: Sequence[str]) -> None:
    """Write a pid file, whole or not at all.

    Args:
        pid_file: Where to.
        pid: The process.
        command: Its command line.
    """
    partial = pid_file.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": pid, "command": list(command)}))
    partial.replace(pid_file)


def find(pid_file: Path) -> psutil.Process | None:
    """Find the process that a pid file names.

    Args:
        pid_file: The file; it may be missing or stale.

    Returns:
        The process, or None if it has ended, even if its pid is in use again.
    """
    try:
        known = json.loads(pid_file.read_text())
        process = psutil.Process(known["pid"])
        return process if _is_ours(process, known["command"]) else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def _is_ours(process: psutil.Process, command: list[str]) -> bool:
    # The pid of a child that was not reaped yet cannot be in use again. This comes
    # first because a command line reads as empty for a moment after the start.
    if child := _children.get(process.pid):
        return child.poll() is None
    alive = process.status() != psutil.STATUS_ZOMBIE
    return bool(alive and process.cmdline() == command)


def end(pid_file: Path, by: signal.Signals, limit_s: float) -> None:
    """End the process of a pid file, and every process that it started.

    Args:
        pid_file: The file; removed at the end.
        by: The signal to send first. SIGKILL goes to the children as well.
        limit_s: Seconds until SIGKILL follows.
    """
    process = find(pid_file)
    if process is not None:
        # PostgreSQL's children lead sessions of their own: a group would miss them.
        family = [process, *_children_of(process)]
        for member in family if by == signal.SIGKILL else family[:1]:
            _signal(member, by)
        _, alive = psutil.wait_procs(family, timeout=limit_s)
        for member in alive:
            _signal(member, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=limit_s)
    _reap()
    pid_file.unlink(missing_ok=True)


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _reap() -> None:
    # A copy: other threads start and end theirs meanwhile.
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def await_ready(part: Part, limit_s: float = READY_LIMIT_S) -> None:
    """Wait until a part does its work.

    Args:
        part: A part that was started.
        limit_s: Seconds to wait at most.

    Raises:
        PartFailed: If it ended or did not answer in time, with the end of its log.
    """
    waiting = Retrying(
        stop=stop_after_delay(limit_s),
        wait=wait_fixed(_READY_INTERVAL_S),
        retry=retry_if_exception(_may_pass),
    )
    try:
        waiting(_check, part)
    except RetryError as error:
        cause = error.last_attempt.exception()
        raise PartFailed(
            f"{part.name} did not answer at {part.address} within {limit_s:.0f} s "
            f"({cause}){log_tail(part.log)}"
        ) from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, PartFailed)


def _check(part: Part) -> None:
    if find(part.pid_file) is None:
        raise PartFailed(f"{part.name} ended at its start{log_tail(part.log)}")
    part.check()


def log_tail(log: Path) -> str:
    """Give the end of a log, to be put after an error.

    Args:
        log: The file; it may be missing.

    Returns:
        Text that names the file and repeats its last lines.
    """
    if not log.is_file():
        return f"; no log at {log}"
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join((f"; the end of {log}:", *lines))
