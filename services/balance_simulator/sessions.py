"""What the sockets and a venue's pure parts ask of one another: common to all venues.

A venue is a ``Memory`` and two pure functions: one opens a ``Session`` for each new
connection, one answers a REST ``Call``. A session takes text and the time, and returns
what is to be said; whoever carries it (``server``, ``loopback``) is a ``Peer`` to it.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from balance_simulator.faults import Faults
from balance_simulator.statistics import Statistics


class Goodbye(NamedTuple):
    """The wish to close a connection after what was said before it."""

    code: int = 1000
    reason: str = ""


Said = str | Goodbye
"""One text frame for the client, or the end of the conversation."""


class Session(Protocol):
    """One client's conversation, as text in and text out."""

    @property
    def subscribed(self) -> bool:
        """Whether the client is told about the ledger's lines."""

    @property
    def last_text(self) -> str:
        """The last update or snapshot told; "" before the first."""

    def opened(self, now_us: int) -> Sequence[Said]:
        """Return what is said right after the connection is made."""

    def receive(self, text: str, now_us: int) -> Sequence[Said]:
        """Return the answers to one frame of the client."""

    def due(self, now_us: int, quiet_us: int) -> Sequence[Said]:
        """Return what time alone makes the venue say: called a few times a second.

        Args:
            now_us: the venue's time.
            quiet_us: microseconds since the last frame for this client; 0 while
                the connection is silenced.
        """

    def closed(self) -> None:
        """End what was subscribed to: it has lapsed, or the connection is lost."""


class Peer(Protocol):
    """The venue's end of one connection, over a socket or in memory.

    Attributes:
        sent: frames written so far.
        last_sent_us: when the last frame was queued, the venue's time.
        cut_off: whether it was dropped because it did not read.
    """

    sent: int
    last_sent_us: int
    cut_off: bool

    @property
    def queued(self) -> int:
        """Frames that wait to be read."""

    @property
    def silent(self) -> bool:
        """Whether nothing at all is being sent, though the connection stays open."""

    def send(self, text: str) -> None:
        """Queue a frame; a client whose queue is full is cut off."""

    def silence(self, until_us: float, *, lose: bool) -> None:
        """Send nothing until a time; queued frames follow then, or are lost."""

    def close(self, code: int, reason: str) -> None:
        """Close once what is queued has been written."""

    def abort(self) -> None:
        """Drop the connection without a word."""


class VenueSettings(Protocol):
    """The choices that every venue has."""

    @property
    def host(self) -> str:
        """Address to listen on."""

    @property
    def port(self) -> int:
        """Port to listen on; 0 takes a free one."""

    @property
    def rate(self) -> float:
        """Ledger lines a second of background traffic; 0 is quiet."""

    @property
    def heartbeat_s(self) -> float:
        """Seconds between what the venue says unasked."""

    @property
    def connections_max(self) -> int | None:
        """Connection attempts in the window of ``statistics``; None counts only."""

    @property
    def queue_max(self) -> int:
        """Frames that may wait for a slow reader before it is cut off."""


class Memory(Protocol):
    """What every venue remembers besides its books."""

    @property
    def settings(self) -> VenueSettings:
        """The choices made."""

    @property
    def rng(self) -> random.Random:
        """The seeded source of everything random."""

    @property
    def faults(self) -> Faults:
        """What is armed."""

    @property
    def statistics(self) -> Statistics:
        """What was counted."""
