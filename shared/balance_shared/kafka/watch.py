"""What a consumer shows of itself: whether Kafka answers, and how far behind it is.

aiokafka goes on silently while no broker can be reached, so consumers ask.
"""

import asyncio
import time

from balance_shared import telemetry
from balance_shared.errors import BusInterrupted
from balance_shared.kafka.consumer import Consumer, Positions
from balance_shared.service import Parts

LOOK_EVERY_S = 1.0
"""How often Kafka is asked, in seconds."""

ANSWER_S_MAX = 5.0
"""How long it may take to answer before it counts as not ready, in seconds."""


UNANSWERED_S_MAX = 15.0
"""After that long without an answer the consumer is given up for a new one: aiokafka
sometimes does not find back to a broker that was killed and started again."""


class Watch:
    """Keeps the part ``kafka`` and the lag of one consumer up to date.

    Args:
        service: name of the service, for the metric.
        consumer: connected.
        parts: told whether Kafka answers.
    """

    def __init__(self, service: str, consumer: Consumer, parts: Parts) -> None:
        self._service = service
        self._consumer = consumer
        self._parts = parts
        self._due = 0.0
        self._answered = time.monotonic()
        self._shown: set[tuple[str, int]] = set()

    async def look(self) -> Positions | None:
        """Ask if it is time; call this after each batch, empty ones included.

        Returns:
            How many records of each partition are not taken in yet, or None if it was
            not time or Kafka did not answer.

        Raises:
            BusInterrupted: no answer for `UNANSWERED_S_MAX`: connect anew.
        """
        if time.monotonic() < self._due:
            return None
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await self._consumer.end()
                lags = await self._consumer.lag()
        except (TimeoutError, BusInterrupted) as error:
            self._parts.not_ready("kafka", f"no answer {error}".strip())
            silent_s = time.monotonic() - self._answered
            if silent_s > UNANSWERED_S_MAX:
                raise BusInterrupted(f"no answer for {silent_s:.0f} s") from error
            return None
        finally:
            self._due = time.monotonic() + LOOK_EVERY_S
        self._answered = time.monotonic()
        self._parts.ready("kafka")
        self._show(lags)
        return lags

    def _show(self, lags: Positions) -> None:
        for topic, partition in self._shown - lags.keys():
            telemetry.CONSUMER_LAG_RECORDS.remove(self._service, topic, str(partition))
        for (topic, partition), lag in lags.items():
            labels = self._service, topic, str(partition)
            telemetry.CONSUMER_LAG_RECORDS.labels(*labels).set(lag)
        self._shown = set(lags)
