"""The demo as a user starts it: a process of its own, ended in every way."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.end_to_end

VERDICT = "books equal every venue's truth"
ALL_LIVE = "kraken live, bitfinex live, zerohash live, ndax live"
GONE_S_MAX = 15.0


class Demo:
    """A running demo and the processes that it has started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.family: dict[int, psutil.Process] = {}

    def read_until(self, text: str) -> None:
        """Read its output until a line holds a text, noting its processes."""
        for line in self.process.stdout:
            self.lines.append(line)
            self._note()
            if text in line:
                return
        raise AssertionError(f"no {text!r} in:\n{self.text}")

    def read_all(self) -> int:
        """Read the rest of its output; returns the exit code."""
        for line in self.process.stdout:
            self.lines.append(line)
            self._note()
        return self.process.wait(30)

    def find(self, words: str) -> psutil.Process:
        """Return its process whose command line holds some words."""
        return next(
            one for one in self.family.values() if words in " ".join(one.cmdline())
        )

    def left(self) -> list[str]:
        """Return those of its processes that still run after a while."""
        end_s = time.monotonic() + GONE_S_MAX
        while (running := self._running()) and time.monotonic() < end_s:
            time.sleep(0.1)
        return running

    @property
    def text(self) -> str:
        """All that it printed."""
        return "".join(self.lines)

    def _note(self) -> None:
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        self.family |= {child.pid: child for child in children}

    def _running(self) -> list[str]:
        found = []
        for one in self.family.values():
            try:
                if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(one.cmdline()))
            except psutil.NoSuchProcess:
                continue
        return found


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    """Run the demo, logs in the folder, and end it if the test does not."""
    command = [sys.executable, "-m", "balance_cli", "demo", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.kill()


def test_an_unattended_run_proves_the_books_and_leaves_nothing(tmp_path):
    """A gap and an outage pass, all books are equal, exit 0, no process stays."""
    with demo(tmp_path, "--duration", "15") as running:
        code = running.read_all()
        assert (0, True) == (code, VERDICT in running.text), running.text
        assert [] == running.left()
    for trouble in (
        r"gap at kraken: stale after .*, live after .*, books right after",
        r"outage at bitfinex: maintenance after .*, live after .*, books right after",
    ):
        assert re.search(trouble, running.text)
    for venue in ("kraken", "bitfinex", "zerohash", "ndax"):
        told = rf"^{venue} .* (PROVEN|UNPROVEN: .*) +equal"
        assert re.search(told, running.text, re.MULTILINE)
    assert running.text.replace("\n", "").isprintable()


def test_an_interrupt_leads_to_the_verdict(tmp_path):
    """Without a duration: Ctrl-C ends the show, the books are compared, exit 0."""
    with demo(tmp_path) as running:
        running.read_until(ALL_LIVE)
        running.process.send_signal(signal.SIGINT)
        assert (0, True) == (running.read_all(), VERDICT in running.text)
        assert [] == running.left()


def test_a_dead_service_ends_the_demo_and_is_named(tmp_path):
    """Exit 1, which one it was, and the end of its log."""
    with demo(tmp_path) as running:
        running.read_until(ALL_LIVE)
        running.find("connector kraken").kill()
        assert 1 == running.read_all()
        assert "connector-kraken ended unexpectedly; the end of" in running.text
        assert '"event": "started"' in running.text
        assert [] == running.left()


def test_a_killed_demo_leaves_nothing(tmp_path):
    """SIGKILL: nobody can clean up, and still no process stays."""
    with demo(tmp_path) as running:
        running.read_until(ALL_LIVE)
        running.process.kill()
        assert -signal.SIGKILL == running.process.wait(10)
        assert [] == running.left()
