"""What readers of the bus believe in, kept over connections and restarts."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from balance_connector.books import Holding, known_from, recent_from
from balance_schemas.records import BalanceEvent
from balance_shared.clock import Clock

ReadLatest = Callable[[], Awaitable[Collection[BalanceEvent]]]
"""Reads the account's records of ``latest``."""


class Memory:
    """The primary feed's picture of what is on the bus, and the source of epochs.

    Args:
        read: reads the account's records of ``latest``.
        clock: epochs are times.

    Attributes:
        balances: key → holding, as last read back or told; the same object for life.
        recent: facts that were told last; see `Books`.
        heard_at: when the venue was last heard, as far as the bus tells; None at the
            very first start.
        read_anew: whether the last `known` read the balances back.
    """

    def __init__(self, read: ReadLatest, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self.balances: dict[str, Holding] = {}
        self.recent: dict[str, datetime] = {}
        self.heard_at: datetime | None = None
        self.read_anew = False
        self._read_back = False
        self._losses = 0
        self._epoch = 0

    async def known(self, losses: int) -> dict[str, Holding]:
        """Return what readers believe in; read back from the bus if in doubt.

        Args:
            losses: how often records on their way were dropped, so far.
        """
        if losses != self._losses:
            self._read_back, self._losses = False, losses
        self.read_anew = not self._read_back
        if self.read_anew:
            latest = await self._read()
            self.balances.clear()
            self.balances |= known_from(latest)
            self.recent.clear()
            self.recent |= recent_from(latest)
            times = [event.received_at for event in latest]
            self.heard_at = max(times, default=self.heard_at)
            self._epoch = max(self._epoch, *(event.epoch for event in latest), 0)
            self._read_back = True
        return self.balances

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
