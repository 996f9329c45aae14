"""Starting, finding and ending processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from balance_stack.errors import PartFailed
from balance_stack.process import Part, await_ready, end, find, record, start

FOREVER = "import sys; print('ready', flush=True); sys.stdin = None\nimport signal\n"
PAUSE = FOREVER + "signal.pause()"
STUBBORN = FOREVER + "signal.signal(15, signal.SIG_IGN)\nwhile True: signal.pause()"


@pytest.fixture
def make_part(tmp_path: Path) -> Iterator[Callable[[str], Part]]:
    """Give parts that run a Python text, ended after the test."""
    pid_file = tmp_path / "part.pid"

    def make(text: str) -> Part:
        log = tmp_path / "part.log"

        def check() -> None:
            if "ready" not in log.read_text():
                raise ConnectionError("nothing printed yet")

        return Part(
            name="part",
            address="nowhere",
            command=(sys.executable, "-c", text),
            log=log,
            pid_file=pid_file,
            prepare=lambda: None,
            check=check,
        )

    yield make
    end(pid_file, signal.SIGKILL, 5)


def test_a_started_part_is_found_until_it_is_ended(
    make_part: Callable[[str], Part],
) -> None:
    """The pid file leads to the process, and goes away with it."""
    part = make_part(PAUSE)
    start(part)
    await_ready(part)
    process = find(part.pid_file)
    assert process is not None
    end(part.pid_file, signal.SIGTERM, 5)
    assert not psutil.pid_exists(process.pid)
    assert not part.pid_file.exists()


def test_starting_twice_starts_once(make_part: Callable[[str], Part]) -> None:
    """A part that runs is left alone."""
    part = make_part(PAUSE)
    start(part)
    before = part.pid_file.read_text()
    start(part)
    assert before == part.pid_file.read_text()


def test_many_parts_are_ended_at_once(tmp_path: Path) -> None:
    """Each thread ends its own, and takes no notice of what the others do meanwhile."""
    count, rounds = 12, 8
    for _ in range(rounds):
        parts = [
            Part(
                name=f"part-{number}",
                address="nowhere",
                command=("sleep", f"{600 + number}"),
                log=tmp_path / f"{number}.log",
                pid_file=tmp_path / f"{number}.pid",
                prepare=lambda: None,
                check=lambda: None,
            )
            for number in range(count)
        ]
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(start, parts))
            files = [part.pid_file for part in parts]
            list(pool.map(lambda file: end(file, signal.SIGTERM, 5), files))
        assert [] == [file for file in files if file.exists()]


def test_a_part_that_ignores_sigterm_is_killed(
    make_part: Callable[[str], Part],
) -> None:
    """Patience ends with SIGKILL."""
    part = make_part(STUBBORN)
    start(part)
    await_ready(part)
    end(part.pid_file, signal.SIGTERM, 0.2)
    assert find(part.pid_file) is None


def test_children_end_with_their_parent(
    make_part: Callable[[str], Part], tmp_path: Path
) -> None:
    """SIGKILL reaches children that lead sessions of their own."""
    child = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {PAUSE!r}], start_new_session=True); open({str(tmp_path / 'child')!r}, 'w').write(str(p.pid)); p.wait()"
    part = make_part(child)
    start(part)
    await_ready(part)
    pid = int((tmp_path / "child").read_text())
    end(part.pid_file, signal.SIGKILL, 5)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


def test_a_pid_in_use_by_another_is_not_ours(tmp_path: Path) -> None:
    """A stale pid file whose pid runs something else leads nowhere, and is safe."""
    pid_file = tmp_path / "part.pid"
    record(pid_file, os.getpid(), ["java", "kafka.Kafka"])
    assert find(pid_file) is None
    end(pid_file, signal.SIGKILL, 1)
    assert not pid_file.exists()


def test_a_pid_that_is_gone_is_not_ours(tmp_path: Path) -> None:
    """A stale pid file whose pid nobody has leads nowhere."""
    command = [sys.executable, "-c", ""]
    done = subprocess.Popen(command)
    done.wait()
    record(tmp_path / "part.pid", done.pid, command)
    assert json.loads((tmp_path / "part.pid").read_text())["pid"] == done.pid
    assert find(tmp_path / "part.pid") is None


def test_a_part_that_ends_at_once_shows_its_log(
    make_part: Callable[[str], Part],
) -> None:
    """The error repeats the last lines that the part printed."""
    part = make_part("raise SystemExit('no space left')")
    start(part)
    with pytest.raises(PartFailed, match="no space left"):
        await_ready(part)


def test_a_part_that_never_answers_is_given_up(
    make_part: Callable[[str], Part],
) -> None:
    """The error names the limit and what the last check met."""
    part = make_part("import signal; signal.pause()")
    start(part)
    with pytest.raises(PartFailed, match=r"within 0 s.*nothing printed yet"):
        await_ready(part, 0.2)


def test_a_program_that_cannot_be_run_is_named(
    make_part: Callable[[str], Part], tmp_path: Path
) -> None:
    """A missing program is one clear error."""
    part = make_part("")
    absent = Part(
        **{**vars(part), "command": (str(tmp_path / "absent"),)},
    )
    with pytest.raises(PartFailed, match=r"part could not be started.*absent"):
        start(absent)
