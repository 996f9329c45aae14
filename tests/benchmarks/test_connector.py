"""The connector against bare loops, in the same run on the same machine.

Figures are ratios: machines differ, and a shared one drifts. Each pair runs in turn,
several times, and the median of their ratios counts. The broker compiles its code as it runs: the
latency of its first minute is its own, and nobody's figure. Run with ``make bench`` on
a quiet machine.
"""

import os
import statistics
import subprocess
import sys
import time
from operator import truediv
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from processes import Service, ended, free_port, until

from balance_schemas.codec import decode
from balance_schemas.keys import partition_of
from balance_schemas.records import BalanceEvent

pytestmark = pytest.mark.benchmark

HERE = Path(__file__).parent
UPDATES = 20_000
OURS = 60_000
"""More of the connector's: its count moves by a whole hand-over, a thousand frames."""
ROUNDS = 5
PACED = 20_000
WARM = 5_000
ASSETS = 100
POLL_S = 0.5
"""Time between two looks at the connector's count: each costs the connector time."""


class Feeder:
    """The venue that pushes prepared frames, as a process."""

    def __init__(self, updates: int, assets: int, rate: float = 0) -> None:
        for _ in range(20):  # it ends at once where the port after its own is taken
            self.port = free_port()
            command = [HERE / "feeder.py", self.port, updates, assets, rate]
            self.process = subprocess.Popen(
                [sys.executable, *map(str, command)], stdout=subprocess.PIPE
            )
            if self.process.stdout.readline():
                break
        else:
            raise RuntimeError("the feeder does not start")
        self.ws_url = f"ws://127.0.0.1:{self.port + 1}"
        self.rest_url = f"http://127.0.0.1:{self.port}"


def connector(stack, folder, feeder: Feeder, account: str) -> Service:
    """Start a connector of one core that reads the feeder."""
    environment = stack.endpoints.environment() | {
        "BALANCEBUS_TOPIC_PREFIX": "bench",
        "BALANCEBUS_ACCOUNT": account,
        "BALANCEBUS_API_KEY": "key",
        "BALANCEBUS_API_SECRET": "c2VjcmV0",
        "BALANCEBUS_WS_URL": feeder.ws_url,
        "BALANCEBUS_REST_URL": feeder.rest_url,
        "BALANCEBUS_FEEDS": "ws",
    }
    return Service(folder / f"{account}.log", environment, "connector", "kraken")


async def events_of(stack, account: str, updates: int, partition: int):
    """Yield (arrival, record) of an account's events, in order, until all are there."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=5,
    )
    await consumer.start()
    topic = "bench.events.v1"
    key = f"kraken|{account}"
    consumer.assign([TopicPartition(topic, partition)])
    await consumer.seek_to_end()
    seen = 0
    try:
        while seen < updates:
            fetched = await consumer.getmany(timeout_ms=1000)
            arrival = time.time()
            for records in fetched.values():
                for record in records:
                    if record.key.startswith(f"{key}|".encode()):
                        seen += 1
                        yield arrival, record
    finally:
        await consumer.stop()


def bare_process(
    stack, mode: str, feeder: Feeder, updates: int
) -> subprocess.Popen[bytes]:
    """Start a bare loop."""
    command = [sys.executable, HERE / "bare_loop.py", mode]
    command += [stack.endpoints.kafka_bootstrap_servers, feeder.ws_url]
    command += [updates, "bench"]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)


def bare(stack, mode: str, updates: int) -> float:
    """Return frames a second of a bare loop."""
    feeder = Feeder(updates, ASSETS)
    with ended(feeder):
        process = bare_process(stack, mode, feeder, updates)
        os.sched_setaffinity(process.pid, {0})
        seconds = float(process.stdout.readline())
        process.wait()
        process.stdout.close()
    return updates / seconds


def ours(stack, folder, account: str, updates: int) -> tuple[float, int]:
    """Return frames a second of the connector, and its peak memory in MB."""
    feeder = Feeder(updates, ASSETS)
    service = connector(stack, folder, feeder, account)
    os.sched_setaffinity(service.process.pid, {0})

    def published() -> float:
        name = "balancebus_events_published_total"
        return service.metric(name, kind="update")

    with ended(feeder, service):
        first = until(published, "first updates", 60)
        started = time.perf_counter()
        samples = [(0.0, first)]

        def all_published() -> bool:
            time.sleep(POLL_S)
            samples.append((time.perf_counter() - started, published()))
            return samples[-1][1] >= updates

        until(all_published, "all updates", 120)
        # the last look but one: after it the connector stood still for some time
        seconds, last = samples[-2]
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        peak_kb = int(status.split("VmHWM:")[1].split()[0])
    return (last - first) / seconds, peak_kb // 1024


@pytest.fixture(autouse=True)
def _topics(stack):
    environment = os.environ | stack.endpoints.environment()
    command = [sys.executable, "-m", "balance_cli", "topics", "apply"]
    environment["BALANCEBUS_TOPIC_PREFIX"] = "bench"
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def test_throughput_and_memory(stack, tmp_path):
    """Events, latest and frames written: a ratio to bare loops, and memory."""
    rates: dict[str, list[float]] = {"three": [], "awaited": [], "ours": []}
    peak_mb = 0
    for number in range(ROUNDS):
        rates["three"].append(bare(stack, "three", UPDATES))
        rate, memory_mb = ours(stack, tmp_path, f"b{number}", OURS)
        rates["ours"].append(rate)
        peak_mb = max(peak_mb, memory_mb)
        rates["awaited"].append(bare(stack, "awaited", UPDATES // 10))
    for name, values in rates.items():
        print(f"\nframes/s, {name}: {[round(rate) for rate in values]}", end="")
    to_three, to_awaited = (
        statistics.median(map(truediv, rates["ours"], rates[other]))
        for other in ("three", "awaited")
    )
    print(f"\nmedians of {ROUNDS} ratios, each of neighbours in time:")
    print(f"connector / bare three-topic loop: {to_three:.2f} (aim 0.75)")
    print(f"connector / peers' awaited sends:  {to_awaited:.1f} (aim 6)")
    print(f"peak memory: {peak_mb} MB (aim 120)")

    assert to_three >= 0.75
    assert to_awaited >= 6
    assert peak_mb <= 120


async def delays_ms(stack, account: str, partition: int) -> tuple[float, float]:
    """Return p50 and p99 from the venue's send to a consumer, once warm."""
    arrivals = [
        (arrival, record.value)
        async for arrival, record in events_of(stack, account, PACED, partition)
    ]
    # read only now: a consumer that is busy takes its time from what it measures
    told = [
        (arrival, decode(BalanceEvent, value)) for arrival, value in arrivals[WARM:]
    ]
    delays = sorted(
        (arrival - event.venue_time.timestamp()) * 1000
        for arrival, event in told
        if event.kind == "update"
    )
    return delays[len(delays) // 2], delays[len(delays) * 99 // 100]


async def bare_delays_ms(stack) -> tuple[float, float]:
    """Return p50 and p99 of the bare three-topic loop."""
    feeder = Feeder(PACED, ASSETS, 1000)
    process = bare_process(stack, "three", feeder, PACED)
    with ended(feeder):
        delays = await delays_ms(stack, "bare", 0)
        process.wait()
        process.stdout.close()
    return delays


async def test_latency(stack, tmp_path):
    """At 1,000 frames a second a consumer has a frame soon after the venue sent it."""
    # Four processes share the machine: venue, connector or bare loop, Kafka, consumer.
    await bare_delays_ms(stack)  # warms the broker
    bare_p50, bare_p99 = await bare_delays_ms(stack)
    feeder = Feeder(PACED, ASSETS, 1000)
    service = connector(stack, tmp_path, feeder, "latency")
    partition = partition_of("kraken|latency", 12)
    with ended(feeder, service):
        p50, p99 = await delays_ms(stack, "latency", partition)
    print(f"\nsocket to consumer at 1,000 frames/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"the bare three-topic loop: p50 {bare_p50:.1f} ms, p99 {bare_p99:.1f} ms")

    assert p99 < max(15, 1.5 * bare_p99)


async def test_large_picture(stack, tmp_path):
    """A picture of 20,000 balances, from its arrival to a consumer."""
    feeder = Feeder(0, 20_000)
    service = connector(stack, tmp_path, feeder, "picture")
    partition = partition_of("kraken|picture", 12)
    with ended(feeder, service):
        async for arrival, record in events_of(stack, "picture", 20_000, partition):
            last = arrival, record
    arrived_at = decode(BalanceEvent, last[1].value).received_at.timestamp()
    seconds = last[0] - arrived_at
    print(f"\npicture of 20,000 balances: {seconds:.2f} s (aim 3)")

    assert seconds < 3
