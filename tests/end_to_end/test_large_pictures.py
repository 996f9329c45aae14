"""Pictures of a hundred thousand balances, through whole services."""

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from processes import Service, Venue, ended, get, post, until

from balance_schemas.codec import decode
from balance_schemas.keys import partition_of
from balance_schemas.records import BalanceEvent, RawFrame

pytestmark = pytest.mark.end_to_end


@dataclass(frozen=True)
class Large:
    """One venue's large account.

    Attributes:
        venue: its name.
        picture: what its stand-in is asked for.
        frame_bytes_min: least size of the frame that this makes.
        options: of the stand-in's command.
    """

    venue: str
    picture: dict[str, int]
    frame_bytes_min: int
    options: tuple[str, ...] = ()


LARGE = (
    Large("kraken", {"assets": 100_000}, 10_000_000),
    Large("zerohash", {"accounts": 100_000}, 20_000_000),
)


async def records_of(stack, topic: str, account_key: str):
    """Return an account's records of a topic as they lie there."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8_000_000,
    )
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition_of(account_key, 12))
        consumer.assign([tp])
        (end,) = (await consumer.end_offsets([tp])).values()
        found = []
        while await consumer.position(tp) < end:
            fetched = await consumer.getmany(tp, timeout_ms=1000)
            found += [record for records in fetched.values() for record in records]
        return found
    finally:
        await consumer.stop()


def peak_mb(service: Service) -> int:
    """Return the most memory that a service has used, in MB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024


@pytest.mark.parametrize("large", LARGE, ids=lambda large: large.venue)
async def test_large_picture_arrives_whole(stack, tmp_path, large):
    """Every balance is told once, the frame is kept in parts, and no ping is missed."""
    prefix = f"large{large.venue}{int(time.time() * 1000)}"
    key = f"{large.venue}|main"
    venue = Venue(tmp_path / "venue.log", *large.options, name=large.venue)
    environment = stack.endpoints.environment() | venue.environment
    environment |= {"BALANCEBUS_TOPIC_PREFIX": prefix, "BALANCEBUS_ACCOUNT": "main"}
    environment |= {"BALANCEBUS_FEEDS": "ws"}
    with ended(venue):
        post(f"{venue.control}/picture", large.picture)
        service = Service(
            tmp_path / "connector.log", environment, "connector", large.venue
        )
        with ended(service):
            until(service.ready, "ready")
            ready_at = time.time()
            await asyncio.sleep(5)
            assert service.ready()
            memory_mb = peak_mb(service)
            statistics = get(f"{venue.control}/stats")[1]
        frames = [
            decode(RawFrame, record.value)
            for record in await records_of(stack, f"{prefix}.frames.v1", key)
        ]
        told = await records_of(stack, f"{prefix}.events.v1", key)
    parts = [frame for frame in frames if frame.parts > 1]
    first = decode(BalanceEvent, told[0].value)
    seconds = ready_at - parts[0].received_at.timestamp()
    print(f"\n{large.venue}: {len(told)} balances, {seconds:.1f} s, {memory_mb} MB")

    assert large.frame_bytes_min <= sum(len(frame.payload) for frame in parts)
    assert list(range(parts[0].parts)) == [frame.part for frame in parts]
    assert first.snapshot_size == len(told) == len({record.key for record in told})
    assert len(told) >= 100_000
    assert '"connections_made": 1' in statistics
    assert memory_mb < 400
