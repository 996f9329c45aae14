"""Sees to it that one process tells an account: the one that began last.

Readers follow the greatest epoch of an account. A process that went on below the epoch
of another would say ``live`` and be read by nobody. So each one hears the statuses of
its account. Under a greater epoch than its own another tells: then it says so in a last
status and stands by, until the other has ended or been silent for `SILENT_S`; and
begins anew, with an epoch that is greater still. Under a smaller one another told until
now: what it told last may lie over our own words, so a new picture is taken.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import structlog

from balance_connector.recall import Recall
from balance_connector.retry import retrying
from balance_connector.status import HEARTBEAT_S
from balance_connector.venue import State
from balance_schemas.records import ConnectorStatus
from balance_shared.clock import Clock

SILENT_S = 3 * HEARTBEAT_S
"""A process that told no status for so long is gone, in seconds."""

LOOK_S = 0.5
"""How often who stands by looks whether it is alone, in seconds."""

_TELLING = {State.SYNCING, State.LIVE, State.DEGRADED, State.MAINTENANCE}
"""States of a process that the venue has let in: it tells the account."""

_ENDED = {State.STOPPED, State.REFUSED}
"""Last words."""

log = structlog.get_logger(__name__)


class Overtaken(Exception):  # noqa: N818 — no error: somebody else goes on
    """Another process tells the account."""


class Rivals:
    """Hears who else tells an account, for the life of the process.

    Args:
        recall: reads the statuses.
        instance: names us.
        clock: tells how long somebody has been silent.

    Attributes:
        epoch: the greatest of another that was heard; 0: none was.
    """

    def __init__(self, recall: Recall, instance: str, clock: Clock) -> None:
        self._recall = recall
        self._instance = instance
        self._clock = clock
        self._streaming: set[str] = set()
        self._gone_s = clock.monotonic()
        self.epoch = 0

    async def overtake(
        self, ours: Callable[[], int], below: Callable[[str], None]
    ) -> None:
        """Wait until somebody tells the account under a greater epoch than ours.

        Args:
            ours: returns our epoch, 0 before the first one.
            below: called with who has told it until now, under a smaller one.

        Raises:
            Overtaken: always, with who does.
        """

        def check(status: ConnectorStatus) -> None:
            epoch = ours()
            if not epoch or not status.epoch:
                return
            if (status.epoch, status.instance) < (epoch, self._instance):
                below(f"{status.instance} told it until now")
            elif status.state in _TELLING:
                text = f"{status.instance} tells it since epoch {status.epoch}"
                raise Overtaken(text)

        await self._hear(check)

    async def silence(self) -> None:
        """Wait until who was heard last is gone, or silent for `SILENT_S`."""
        hearing = asyncio.create_task(self._hear(lambda _status: None))
        try:
            while self._clock.monotonic() < self._gone_s:
                await self._clock.sleep(LOOK_S)
        finally:
            hearing.cancel()

    async def _hear(self, check: Callable[[ConnectorStatus], None]) -> None:
        """Hear others for ever, and check each; a bus that fails is asked again."""
        async for attempt in retrying(self._clock, self._note):
            with attempt:
                async with aclosing(self._recall.statuses()) as statuses:
                    async for status in statuses:
                        if self._is_anothers(status):
                            self._take(status)
                            check(status)

    def _is_anothers(self, status: ConnectorStatus) -> bool:
        """Whether it is of the primary feed of another process.

        Polls beside a stream have epochs of their own, which nobody follows.
        """
        if status.feed == "ws":
            self._streaming.add(status.instance)
        elif status.instance in self._streaming:
            return False
        return status.instance != self._instance

    def _take(self, status: ConnectorStatus) -> None:
        if status.epoch >= self.epoch:
            ends = status.state in _ENDED
            self.epoch = status.epoch
            self._gone_s = self._clock.monotonic() + (0 if ends else SILENT_S)

    def _note(self, error: BaseException, wait_s: float) -> None:
        log.warning("statuses_unheard", error=str(error), wait_s=round(wait_s, 2))
