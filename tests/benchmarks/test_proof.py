"""Proof: how soon a start over a month of a firm is through, and with what memory.

``PROOF_EVENTS=500000`` asks for another size. Speed is also a ratio to a bare loop that
reads and decodes the same topics and does nothing. Both are measured in seconds of a
core, as whatever else the machine does counts in seconds of the clock.
"""

import asyncio
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from month import ACCOUNTS, BALANCES, fill
from processes import Service, until

from balance_schemas.records import BalanceProof
from balance_schemas.topics import PROOFS
from balance_shared.kafka import Reader, decoded
from balance_shared.registry import Registry
from balance_shared.settings import ProofSettings

pytestmark = pytest.mark.benchmark

HERE = Path(__file__).parent
EVENTS = int(os.environ.get("PROOF_EVENTS", "1000000"))
LIMIT_S = 3600.0
RATIO_MIN = 0.25
MEMORY_MB_MAX = 600


def bare(endpoints, prefix: str) -> tuple[int, float]:
    """Return how many records a bare loop read, and its seconds of a core."""
    command = [sys.executable, str(HERE / "bare_reading.py")]
    where = [endpoints.kafka_bootstrap_servers, endpoints.schema_registry_url, prefix]
    said = subprocess.run([*command, *where], check=True, capture_output=True).stdout
    count, seconds = said.split()
    return int(count), float(seconds)


def peak_mb(service: Service) -> float:
    """Return the most memory that a process had so far, in MB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000


def core_s(service: Service) -> float:
    """Return the seconds of a core that a process took so far."""
    stat = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2]
    user, system = stat.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def proofs_of(settings: ProofSettings) -> list[BalanceProof]:
    """Return the verdict on each balance."""
    async with (
        Registry(settings.schema_registry_url) as registry,
        Reader(settings, [PROOFS]) as reader,
    ):
        places = reader.places(PROOFS)
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        found = {
            one.key: await decoded(registry, BalanceProof, one)
            async for batch in reader.read(starts, ends)
            for one in batch
        }
    return list(found.values())


def start(folder: Path, endpoints, prefix: str) -> Service:
    """Start proof; return it when all is read."""
    environment = endpoints.environment() | {"BALANCEBUS_TOPIC_PREFIX": prefix}
    service = Service(folder / "proof.log", environment, "proof")
    until(service.ready, "proof has read all", LIMIT_S)
    return service


@pytest.mark.timeout(7200)
async def test_start_over_a_month(stack, tmp_path):
    """Prints records a second of both, their ratio, and the peak of memory."""
    endpoints, prefix = stack.endpoints, f"month_{uuid.uuid4().hex}"
    servers, registry = endpoints.kafka_bootstrap_servers, endpoints.schema_registry_url
    print()
    await fill(servers, registry, prefix, EVENTS)
    service = start(tmp_path, endpoints, prefix)
    took_s, memory_mb = core_s(service), peak_mb(service)
    clock_s = float(re.search(r'"seconds": ?([\d.]+)', service.log.read_text())[1])
    print(f"proof: {took_s:.0f} s of a core, {clock_s:.0f} s, {memory_mb:,.0f} MB")
    settings = ProofSettings(
        kafka_bootstrap_servers=servers,
        schema_registry_url=registry,
        topic_prefix=prefix,
    )
    while len(found := await proofs_of(settings)) < len(ACCOUNTS) * BALANCES:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    service.stop()
    count, bare_s = bare(endpoints, prefix)
    print(f"bare: {bare_s:.0f} s of a core for {count:,} records")
    print(f"proof: {EVENTS / took_s:,.0f} events/s, {count / took_s:,.0f} records/s")
    print(f"ratio to bare: {bare_s / took_s:.2f}")
    assert "VIOLATED" not in {one.verdict for one in found}
    assert bare_s / took_s > RATIO_MIN
    assert memory_mb < MEMORY_MB_MAX
