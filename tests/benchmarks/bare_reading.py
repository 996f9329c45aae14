"""What a start of proof costs at least: read its topics and decode; nothing kept.

Run as a process: ``python bare_reading.py KAFKA REGISTRY PREFIX``. Prints how many
records there are and how many seconds of a core that took.
"""

import asyncio
import sys
import time

from balance_schemas.topics import EVENTS, LATEST, RECONCILIATIONS, STATUS
from balance_shared.kafka import Reader, decoded
from balance_shared.registry import Registry
from balance_shared.settings import ProofSettings

TOPICS = EVENTS, LATEST, RECONCILIATIONS, STATUS


async def main(kafka: str, registry_url: str, prefix: str) -> None:
    """Read all once."""
    settings = ProofSettings(
        kafka_bootstrap_servers=kafka,
        schema_registry_url=registry_url,
        topic_prefix=prefix,
    )
    types = {topic.full_name(prefix): topic.record for topic in TOPICS}
    async with Registry(registry_url) as registry, Reader(settings, TOPICS) as reader:
        places = [place for topic in TOPICS for place in reader.places(topic)]
        starts, ends = await reader.beginnings(places), await reader.ends(places)
        count = 0
        async for batch in reader.read(starts, ends):
            for one in batch:
                await decoded(registry, types[one.topic], one)
            count += len(batch)
    print(count, time.process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
