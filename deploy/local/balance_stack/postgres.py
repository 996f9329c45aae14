"""PostgreSQL, from the wheel that carries its programs.

PostgreSQL refuses to run as root. If we are root it runs as an unprivileged user that
every system has; where that user cannot reach the stack's directory or the programs
(a checkout below ``/root``, say), both get a place of their own below ``/var/tmp``,
and nobody's permissions are widened.
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import psycopg

from balance_stack.errors import PartFailed, StackError
from balance_stack.layout import Layout
from balance_stack.ports import Ports
from balance_stack.process import Part, User
from balance_stack.programs import Programs

DATABASE = "balancebus"
UNPRIVILEGED_USERS = ("postgres", "nobody")

_ANSWER_LIMIT_S = 3
# It survives a reboot, as the rest of the stack's data does.
_PUBLIC_DIRECTORY = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private place


def postgres_part(layout: Layout, ports: Ports, programs: Programs) -> Part:
    """Describe PostgreSQL.

    Args:
        layout: The stack's directory.
        ports: The stack's ports.
        programs: Where PostgreSQL lies.

    Returns:
        The part. Its data directory is ``data/postgres`` below the stack's, or a
        symbolic link of that name.
    """
    user = unprivileged_user()
    home = place(layout.postgres, user)
    bin_directory = programs.postgres_bin
    if user and not is_reachable(bin_directory):
        bin_directory = home / "program" / _below_site(bin_directory)
    return Part(
        name="postgres",
        address=f"127.0.0.1:{ports.postgres}",
        command=(
            str(bin_directory / "postgres"),
            *("-D", str(home / "cluster")),
            *("-h", "127.0.0.1"),
            *("-p", str(ports.postgres)),
            *("-k", ""),
        ),
        log=layout.log("postgres"),
        pid_file=layout.pid_file("postgres"),
        prepare=partial(_prepare, home, programs.postgres_bin, bin_directory, user),
        check=partial(check_postgres, ports.postgres),
        user=user,
        environment={"LC_ALL": "C"},
    )


def check_postgres(port: int) -> None:
    """Run a query, making the database first if it is missing.

    Args:
        port: TCP port on 127.0.0.1.

    Raises:
        psycopg.Error: While it does not accept queries.
    """
    with psycopg.connect(
        host="127.0.0.1",
        port=port,
        user="postgres",
        dbname="postgres",
        connect_timeout=_ANSWER_LIMIT_S,
        autocommit=True,
    ) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
        ).fetchone()
        if found is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def unprivileged_user() -> User | None:
    """Choose whom PostgreSQL runs as.

    Returns:
        None to run it as the current user; somebody else if that is root.

    Raises:
        StackError: If we are root and the system has no user to take.
    """
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED_USERS:
        if name in known:
            return User(known[name].pw_uid, known[name].pw_gid)
    raise StackError(
        "PostgreSQL refuses to run as root, and there is no user "
        f"{' or '.join(UNPRIVILEGED_USERS)} to run it as: run this as an ordinary user"
    )


def is_reachable(path: Path) -> bool:
    """Tell whether everybody may pass through the directories above a path.

    Args:
        path: An absolute path; it need not exist yet.

    Returns:
        True if every directory above it that exists may be traversed by others.
    """
    above = [parent for parent in path.resolve().parents if parent.exists()]
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in above)


def place(wanted: Path, user: User | None) -> Path:
    """Choose, and remember by a symbolic link, where PostgreSQL's files go.

    Args:
        wanted: Where they belong, in the stack's directory.
        user: Whom it runs as; None for the current user.

    Returns:
        A directory that this user can reach.
    """
    if user is None or wanted.is_dir() or is_reachable(wanted):
        return wanted.resolve()
    elsewhere = Path(tempfile.mkdtemp(dir=_PUBLIC_DIRECTORY, prefix="balance-bus-"))
    wanted.unlink(missing_ok=True)  # a link whose target was cleaned away
    wanted.symlink_to(elsewhere)
    return elsewhere


def copy_program(bin_directory: Path, target: Path) -> None:
    """Copy PostgreSQL with the libraries that the wheel put beside it.

    Args:
        bin_directory: Where the programs lie in the Python package.
        target: The copy of the package's surroundings; the programs find their
            libraries by relative paths, so the depths are kept.
    """
    below = _below_site(bin_directory)
    site = bin_directory.parents[len(below.parts) - 1]
    libraries = Path(f"{below.parts[0]}.libs")
    # The programs come last: where they are, the copy is whole.
    for name in (libraries, below.parent / "lib", below.parent / "share", below):
        if (site / name).exists():
            shutil.copytree(site / name, target / name, dirs_exist_ok=True)


def _below_site(bin_directory: Path) -> Path:
    return Path(*bin_directory.parts[-3:])


def _prepare(
    home: Path, original: Path, bin_directory: Path, user: User | None
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    if user:
        home.chmod(0o711)  # mkdtemp made it for root alone
    if bin_directory != original and not bin_directory.exists():
        copy_program(original, home / "program")
    if not (home / "cluster" / "PG_VERSION").exists():
        _initialize(home / "cluster", bin_directory, user)


def _initialize(cluster: Path, bin_directory: Path, user: User | None) -> None:
    shutil.rmtree(cluster, ignore_errors=True)
    cluster.mkdir(mode=0o700)
    if user:
        os.chown(cluster, user.uid, user.gid)
    command = (
        str(bin_directory / "initdb"),
        *("-D", str(cluster)),
        *("--username", "postgres"),
        *("--auth", "trust"),
        *("--encoding", "UTF8"),
        *("--locale", "C"),
        *("--locale-provider", "builtin"),
        *("--builtin-locale", "C.UTF-8"),
        "--no-sync",
    )
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode != 0:
        shutil.rmtree(cluster)
        raise PartFailed(f"postgres: initdb failed: {done.stdout}{done.stderr}")
