"""The pinned list of Java artifacts."""

from pathlib import PurePosixPath

import pytest

from balance_stack.errors import StackError
from balance_stack.lock import (
    KAFKA,
    LOG_BINDING,
    REGISTRY,
    Artifact,
    format_lock,
    parse_coordinate,
    parse_lock,
    read_lock,
)

DIGEST = "ab" * 32


def test_a_line_gives_an_artifact() -> None:
    """Coordinate, digest and size are read from one line."""
    assert [Artifact("org.x", "y", "1.0", sha256=DIGEST, size=7)] == parse_lock(
        f"# a comment\n\norg.x:y:1.0 {DIGEST} 7\n"
    )


def test_a_formatted_lock_reads_back() -> None:
    """Writing and reading a lock gives the same artifacts, sorted."""
    archive = Artifact("a.b", "c", "1", "all", "tar.gz", DIGEST, 3)
    jar = Artifact("a.a", "b", "2", sha256=DIGEST, size=4)
    assert [jar, archive] == parse_lock(format_lock([archive, jar]))


@pytest.mark.parametrize(
    "line",
    [
        f"org.x:y {DIGEST} 7",
        f"org.x:y:1.0 {DIGEST}",
        f"org.x:y:1.0 {DIGEST} many",
        "org.x:y:1.0 abcd 7",
        f"org.x::1.0 {DIGEST} 7",
    ],
)
def test_a_malformed_line_is_named(line: str) -> None:
    """A line that cannot be read is refused with its number and its text."""
    with pytest.raises(StackError, match="line 2") as refused:
        parse_lock(f"# fine\n{line}\n")
    assert line in str(refused.value)


def test_the_path_follows_the_coordinate() -> None:
    """A file lies where every Maven repository has it."""
    expected = PurePosixPath("a/b/c/1/c-1-all.tar.gz")
    assert expected == parse_coordinate("a.b:c:tar.gz:all:1").path


def test_the_lock_holds_what_was_asked_for() -> None:
    """The lock that ships was written for the versions that the code names."""
    locked = {artifact.coordinate for artifact in read_lock()}
    assert {KAFKA, LOG_BINDING, REGISTRY} <= locked


def test_the_lock_names_no_artifact_twice() -> None:
    """No jar is on the class path in two versions."""
    names = [(artifact.group, artifact.name) for artifact in read_lock()]
    assert sorted(set(names)) == sorted(names)
