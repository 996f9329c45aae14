"""Finds raw frames on their topic, by account, epoch and time of arrival."""

from collections.abc import Collection, Iterator

from balance_schemas.keys import partition_of
from balance_schemas.records import RawFrame
from balance_schemas.topics import FRAMES
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Incoming, Reader, decoded
from balance_shared.kafka.reading import Place
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_storage.explain import FrameAt, FrameName

SCANNED_MAX = 2_000
"""How many records from its time on a frame is looked for: their times may cross."""

OUT_OF_RETENTION = "no longer kept: older than the first frame on the topic"
NOT_FOUND = "not found on the topic"


async def find_frames(
    settings: ServiceSettings, account: str, names: Collection[FrameName]
) -> dict[FrameName, FrameAt | str]:
    """Return where frames lie, or why they are not there.

    Args:
        settings: where Kafka and the registry are.
        account: account key.
        names: of which frames.

    Raises:
        BusInterrupted: there is no such topic, or Kafka failed in a way that passes.
    """
    found: dict[FrameName, FrameAt | str] = {}
    async with (
        Registry(settings.schema_registry_url) as registry,
        Reader(settings, [FRAMES]) as reader,
    ):
        places = reader.places(FRAMES)
        place = places[partition_of(account, len(places))]
        begin = (await reader.beginnings([place]))[place]
        for name in names:
            start = (await reader.since({place: name.received_at})).get(place)
            if start is None:
                found[name] = OUT_OF_RETENTION if begin else NOT_FOUND
                continue
            at = await _look(reader, registry, place, start, account, name)
            gone = begin > 0 and start <= begin
            found[name] = at or (OUT_OF_RETENTION if gone else NOT_FOUND)
    return found


async def _look(
    reader: Reader,
    registry: Registry,
    place: Place,
    start: int,
    account: str,
    name: FrameName,
) -> FrameAt | None:
    """Return a frame from an offset on, None if it does not lie near it."""
    end = (await reader.ends([place]))[place]
    until = {place: min(end, start + SCANNED_MAX)}
    async for batch in reader.read({place: start}, until):
        for incoming in _of(account, batch):
            try:
                frame = await decoded(registry, RawFrame, incoming)
            except RecordInvalid:
                continue
            if FrameName(frame.feed, frame.epoch, frame.received_at) == name:
                return _at(frame, incoming)
    return None


def _of(account: str, batch: list[Incoming]) -> Iterator[Incoming]:
    return (incoming for incoming in batch if incoming.key == account)


def _at(frame: RawFrame, incoming: Incoming) -> FrameAt:
    return FrameAt(
        incoming.topic,
        incoming.partition,
        incoming.offset,
        frame.index,
        frame.source,
        frame.parts,
        frame.payload,
    )
