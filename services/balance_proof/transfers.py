"""What is in transit, for Prometheus: reads the events of every account.

A transfer goes from one account to another, whose records may lie in partitions of
another instance. So each instance reads the events of the last days once more, without
a group, and all of them show the same.
"""

from datetime import UTC, datetime, timedelta

import structlog
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    wait_random_exponential,
)

from balance_schemas.records import BalanceEvent
from balance_schemas.topics import EVENTS
from balance_shared import telemetry
from balance_shared.errors import BusInterrupted, RecordInvalid
from balance_shared.kafka import Consumer
from balance_shared.kafka.consumer import Positions
from balance_shared.kafka.reading import Reader
from balance_shared.matching import WINDOW, Leg
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_shared.transit import Transits

BACK_OFF_S_MAX = 5.0
"""Longest wait between two tries, in seconds."""

SHOW_EVERY = timedelta(seconds=2)
"""How often what is in transit is shown at most."""

REGISTRY_PATIENCE_S = 10.0
"""How long a schema is asked for before reading begins anew, in seconds."""

log = structlog.get_logger(__name__)


class Transfers:
    """Keeps the gauges of what is in transit.

    Args:
        settings: where Kafka and registry are.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._shown: set[str] = set()

    async def run(self) -> None:
        """Show what is in transit, for ever."""
        async for attempt in AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.2, max=BACK_OFF_S_MAX),
            retry=retry_if_exception_type(BusInterrupted),
            reraise=True,
        ):
            with attempt:
                await self._read()

    async def _read(self) -> None:
        settings, transits = self._settings, Transits()
        show_at = datetime.now(UTC)
        async with (
            Registry(settings.schema_registry_url, REGISTRY_PATIENCE_S) as registry,
            Consumer(settings, registry, [EVENTS], positions=self._since) as consumer,
        ):
            async for batch in consumer.batches():
                for incoming in (one for records in batch.values() for one in records):
                    try:
                        transits.take(await consumer.decode(BalanceEvent, incoming))
                    except RecordInvalid as error:
                        log.warning("record_invalid", error=str(error))
                now = datetime.now(UTC)
                if now >= show_at:  # a batch comes each second, if only an empty one
                    self.show(transits.open(now))
                    show_at = now + SHOW_EVERY

    async def _since(self, places: list[tuple[str, int]]) -> Positions:
        """Return where the events begin that a transfer may still hang on."""
        began = datetime.now(UTC) - 2 * WINDOW
        async with Reader(self._settings, [EVENTS]) as reader:
            found = await reader.since(dict.fromkeys(places, began))
            return dict(await reader.ends(places)) | dict(found)

    def show(self, legs: tuple[Leg, ...]) -> None:
        """Show amount and oldest time by asset; series of others go away."""
        assets: dict[str, list[Leg]] = {}
        for leg in legs:
            assets.setdefault(leg.asset, []).append(leg)
        for asset in self._shown - assets.keys():
            telemetry.TRANSIT_AMOUNT.remove(asset)
            telemetry.TRANSIT_OLDEST.remove(asset)
        for asset, found in assets.items():
            amount = float(sum(leg.amount for leg in found))  # for graphs
            telemetry.TRANSIT_AMOUNT.labels(asset).set(amount)
            telemetry.TRANSIT_OLDEST.labels(asset).set(found[0].at.timestamp())
        self._shown = set(assets)
