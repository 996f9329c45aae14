"""What readers of the bus believe in, kept over connections and restarts."""

from datetime import datetime, timedelta

from balance_connector.books import (
    RECENT_MAX,
    Facts,
    Holding,
    Recent,
    known_from,
    vanished_since,
)
from balance_connector.recall import Recall
from balance_shared.clock import Clock
from balance_shared.remembered import Remembered

LOOK_BACK = timedelta(minutes=30)
"""How long before the venue was last heard facts are read back: a venue may repeat
them, and a history reaches back further than what was missed."""


class Memory:
    """The primary feed's picture of what is on the bus, and the source of epochs.

    Args:
        recall: reads what is on the bus; None: nothing is, and epochs alone matter.
        clock: epochs are times.
        after: the first epoch is greater than this one.

    Attributes:
        balances: key → holding, as last read back or told; the same object for life.
        recent: facts that were told last; see `Books`.
        heard_at: up to when nothing that the venue told can be missing, as far as the
            bus tells; None at the very first start.
        owed_since: since when a process before this one left history untold, until
            the first picture: which balances moved in that time is not known.
        vanished: key → holding, of the balances told to be absent since then: they
            moved, and are in no picture.
        read_anew: whether the last `known` read the balances back.
    """

    def __init__(self, recall: Recall | None, clock: Clock, after: int = 0) -> None:
        self._recall = recall
        self._clock = clock
        self.balances: dict[str, Holding] = {}
        self.recent: Recent = Remembered(RECENT_MAX)
        self.heard_at: datetime | None = None
        self.owed_since: datetime | None = None
        self.vanished: dict[str, Holding] = {}
        self.read_anew = False
        self._read_back = False
        self._losses = 0
        self._reads_first = True
        self._epoch = after

    async def known(self, losses: int) -> dict[str, Holding]:
        """Return what readers believe in; read back from the bus if in doubt.

        Args:
            losses: how often records on their way were dropped, so far.
        """
        if losses != self._losses:
            self._read_back, self._losses = False, losses
        self.read_anew = not self._read_back
        if self.read_anew and self._recall is not None:
            await self._read(self._recall)
        self._read_back = True
        return self.balances

    async def _read(self, recall: Recall) -> None:
        latest = await recall.latest()
        owed_since = await recall.owed_since() if self._reads_first else None
        self.heard_at = max(
            (event.received_at for event in latest), default=self.heard_at
        )
        if owed_since and self.heard_at and owed_since < self.heard_at:
            self.owed_since = owed_since  # else its picture was not told: latest is old
        self.doubt_since(self.owed_since)
        told = (
            await recall.told_since(self.heard_at - LOOK_BACK) if self.heard_at else ()
        )
        facts = Facts()
        for event in told:
            facts.take(event)
        self._reads_first = False
        self.balances.clear()
        self.balances |= known_from(latest)
        self.vanished = vanished_since(latest, self.owed_since)
        self.recent.clear()
        self.recent |= facts.told
        self._epoch = max(self._epoch, *(event.epoch for event in latest), 0)

    def is_current(self, losses: int) -> bool:
        """Whether it holds what readers believe in, after so many losses."""
        return self._read_back and losses == self._losses

    def doubt_since(self, time: datetime | None) -> None:
        """Count as heard only what came before a time: later frames may be missing."""
        if time is not None and self.heard_at is not None:
            self.heard_at = min(self.heard_at, time)

    def next_epoch(self) -> int:
        """Return a new epoch: microseconds since 1970, greater than all before."""
        now = self._clock.now()
        micros = int(now.timestamp()) * 1_000_000 + now.microsecond
        self._epoch = max(micros, self._epoch + 1)
        return self._epoch
