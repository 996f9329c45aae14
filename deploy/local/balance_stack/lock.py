"""The pinned list of Java artifacts: which files make up Kafka and the registry.

``artifacts.lock`` holds one artifact a line: its coordinate, its SHA-256 and its
size in bytes. A start needs this list only, no dependency resolution. Write it anew,
after changing ``KAFKA``, ``LOG_BINDING`` or ``REGISTRY``, with::

    python -m balance_stack.lock
"""

import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from balance_stack.errors import StackError

LOCK_FILE = "artifacts.lock"
KAFKA = "org.apache.kafka:kafka_2.13:4.3.0"
# Kafka logs through SLF4J 1.7; without this binding it says nothing at all.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
REGISTRY = "io.apicurio:apicurio-registry-app:tar.gz:all:3.0.9"

_JAR_FIELDS = 3
_FULL_FIELDS = 5
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Artifact:
    """One file in a Maven repository.

    Attributes:
        group: Maven group, such as ``org.apache.kafka``.
        name: Maven artifact id.
        version: Exact version.
        classifier: Variant of the artifact, ``""`` for the main one.
        packaging: File name extension, such as ``jar`` or ``tar.gz``.
        sha256: Expected digest, 64 lower-case hex digits; ``""`` if not yet known.
        size: Length in bytes; 0 if not yet known.
    """

    group: str
    name: str
    version: str
    classifier: str = ""
    packaging: str = "jar"
    sha256: str = ""
    size: int = 0

    @property
    def coordinate(self) -> str:
        """``group:name:version``, or all five parts where it is not a plain jar."""
        if not self.classifier and self.packaging == "jar":
            return f"{self.group}:{self.name}:{self.version}"
        main = f"{self.group}:{self.name}"
        return f"{main}:{self.packaging}:{self.classifier}:{self.version}"

    @property
    def path(self) -> PurePosixPath:
        """Where the file lies below a Maven repository's root."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        file_name = f"{self.name}-{self.version}{suffix}.{self.packaging}"
        return PurePosixPath(*self.group.split("."), self.name, self.version, file_name)


def parse_coordinate(text: str) -> Artifact:
    """Read ``group:name:version`` or ``group:name:packaging:classifier:version``.

    Args:
        text: The coordinate.

    Returns:
        The artifact, without digest and size.

    Raises:
        StackError: If the text has neither three nor five non-empty parts.
    """
    parts = text.split(":")
    if all(parts) and len(parts) == _JAR_FIELDS:
        return Artifact(parts[0], parts[1], parts[2])
    if all(parts) and len(parts) == _FULL_FIELDS:
        return Artifact(parts[0], parts[1], parts[4], parts[3], parts[2])
    raise StackError(f"not a Maven coordinate: {text!r}")


def parse_lock(text: str) -> list[Artifact]:
    """Read a lock file.

    Args:
        text: Lines of ``coordinate sha256 size``; empty lines and lines that start
            with ``#`` are skipped.

    Returns:
        The artifacts in the order of the lines.

    Raises:
        StackError: If a line is malformed, naming its number (from 1).
    """
    lines = enumerate(text.splitlines(), start=1)
    return [
        _parse_line(number, line)
        for number, line in lines
        if line.strip() and not line.startswith("#")
    ]


def _parse_line(number: int, line: str) -> Artifact:
    try:
        coordinate, sha256, size = line.split()
        if len(bytes.fromhex(sha256)) * 2 != _SHA256_DIGITS:
            raise ValueError
        plain = parse_coordinate(coordinate)
        return Artifact(
            plain.group,
            plain.name,
            plain.version,
            plain.classifier,
            plain.packaging,
            sha256,
            int(size),
        )
    except (StackError, ValueError) as error:
        raise StackError(
            f"{LOCK_FILE} line {number} is not `coordinate sha256 size`: {line!r}; "
            "write it anew with python -m balance_stack.lock"
        ) from error


def read_lock() -> list[Artifact]:
    """Read the lock file that came with this package.

    Returns:
        Every artifact of Kafka and the registry.

    Raises:
        StackError: If the file is damaged.
    """
    return parse_lock(
        files("balance_stack").joinpath(LOCK_FILE).read_text(encoding="ascii")
    )


def format_lock(artifacts: Iterable[Artifact]) -> str:
    """Write artifacts as a lock file, sorted, so that changes are easy to review.

    Args:
        artifacts: Artifacts with digest and size.

    Returns:
        The text of the file, ending in a newline.
    """
    lines = sorted(f"{a.coordinate} {a.sha256} {a.size}" for a in artifacts)
    return "\n".join(
        (
            "# Written by python -m balance_stack.lock: coordinate sha256 size",
            *lines,
            "",
        )
    )


def resolve(repository: Path) -> list[Artifact]:
    """Work out, over the network, which files Kafka and the registry need.

    Args:
        repository: Empty directory to download into (about 150 MB).

    Returns:
        Every artifact with the digest and size of the file that was downloaded.
    """
    from jgo.maven import MavenContext  # noqa: PLC0415 - needed by maintainers only

    context = MavenContext(repo_cache=repository)
    inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
    found = [dependency.artifact for dependency in inputs + transitive]
    # Taken alone: resolved together, its version rules would lower Kafka's own.
    for wanted in map(parse_coordinate, (LOG_BINDING, REGISTRY)):
        component = context.project(wanted.group, wanted.name).at_version(
            wanted.version
        )
        found.append(component.artifact(wanted.classifier, wanted.packaging))
    return [_pinned(artifact) for artifact in found]


def _pinned(resolved: object) -> Artifact:
    content: bytes = resolved.resolve().read_bytes()  # type: ignore[attr-defined]
    return Artifact(
        resolved.groupId,  # type: ignore[attr-defined]
        resolved.artifactId,  # type: ignore[attr-defined]
        resolved.version,  # type: ignore[attr-defined]
        resolved.classifier,  # type: ignore[attr-defined]
        resolved.packaging,  # type: ignore[attr-defined]
        hashlib.sha256(content).hexdigest(),
        len(content),
    )


def main() -> None:
    """Write the lock file beside this module."""
    with tempfile.TemporaryDirectory() as repository:
        text = format_lock(resolve(Path(repository)))
    Path(__file__).with_name(LOCK_FILE).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
