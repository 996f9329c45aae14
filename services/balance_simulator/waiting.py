"""What waits for one client: common to connections over sockets and in memory."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from balance_simulator.pace import Clock


class Waiting(ABC):
    """The frames that wait for one client; a ``Peer``.

    Args:
        clock: the venue's time in microseconds.
        queue_max: frames that may wait; one more cuts the connection off.

    Attributes:
        sent: frames that went out.
        last_sent_us: when the last one was queued.
        cut_off: whether the client was cut off for reading too slowly.
        changed: set whenever there is something new to do.
    """

    def __init__(self, clock: Clock, queue_max: int) -> None:
        self.sent = 0
        self.last_sent_us = clock()
        self.cut_off = False
        self.changed = asyncio.Event()
        self._clock = clock
        self._queue_max = queue_max
        self._queue: deque[str] = deque()
        self._silent_until_us: float = 0
        self._lose = False
        self._closing: tuple[int, str] | None = None

    @property
    def queued(self) -> int:
        """Frames that wait."""
        return len(self._queue)

    @property
    def silent(self) -> bool:
        """Whether nothing at all is being sent, though the connection stays open."""
        return self._silent_until_us > self._clock()

    @property
    @abstractmethod
    def gone(self) -> bool:
        """Whether the connection is lost."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the connection without a word."""

    def send(self, text: str) -> None:
        """Queue a frame; a client whose queue is full is cut off."""
        if self.gone or (self._lose and self.silent):
            return
        if len(self._queue) >= self._queue_max:
            self.cut_off = True
            self.abort()
            return
        self._queue.append(text)
        self.last_sent_us = self._clock()
        self.changed.set()

    def silence(self, until_us: float, *, lose: bool) -> None:
        """Send nothing until a time; queued frames follow then, or are lost."""
        self._silent_until_us = until_us
        self._lose = lose
        self.changed.set()

    def close(self, code: int, reason: str) -> None:
        """Close once what is queued has gone out."""
        self._closing = (code, reason)
        self.changed.set()
