"""A stand-in venue as one object: start it, drive it, read its truth; for all venues.

A venue of its own is a subclass that says how a session is opened, how a REST call is
answered, what the truth is and which operations there are; everything about sockets,
faults, traffic and counting is here. See ``kraken.venue`` for how one is used.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar, Generic, Self, TypeVar

from balance_simulator.calls import Answer as RestAnswer
from balance_simulator.calls import Call
from balance_simulator.connections import Connections, SessionT
from balance_simulator.pace import Clock, Pace
from balance_simulator.server import VenueServer
from balance_simulator.sessions import Memory, Peer
from balance_simulator.troubles import AtOnce, Troubles

Answer = dict[str, Any]
Produce = Callable[[int], int]
"""Makes traffic: takes how many items are still wanted, returns how many it made."""

StateT = TypeVar("StateT", bound=Memory)
# Frames that may wait for the slowest reader before `wait` traffic pauses.
_CROWD = 2_000


class Venue(ABC, Generic[StateT, SessionT]):
    """A venue that can be run, driven and asked for the truth.

    Args:
        state: what the venue remembers.
        clock: the venue's time in microseconds since 1970, UTC.

    Attributes:
        name: the venue's word in commands and addresses.
        stream_paths: paths that speak WebSocket; the first is told to clients.
    """

    name: ClassVar[str]
    stream_paths: ClassVar[tuple[str, ...]]

    def __init__(self, state: StateT, clock: Clock) -> None:
        self.state = state
        self.clock = clock
        self.connections: Connections[SessionT] = Connections(
            state, self.new_session, clock
        )
        self.server = VenueServer(
            self.connections, self.stream_paths, self.answer, self
        )
        self.troubles = Troubles(self.connections, self.own_troubles())
        self.pace = Pace()

    @abstractmethod
    def new_session(self) -> SessionT:
        """Open the conversation of a new connection."""

    @abstractmethod
    def answer(self, call: Call, now_us: int) -> RestAnswer:
        """Answer one REST call, after the faults that are armed for it."""

    @abstractmethod
    def truth(self) -> Answer:
        """Return all balances as exact strings, and how far the books are."""

    @abstractmethod
    def lines(self, limit: int, user: str | None) -> Answer:
        """Return the newest ledger lines, newest last."""

    @abstractmethod
    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Run one operation and tell subscribers about it."""

    @abstractmethod
    def picture(self, arguments: Mapping[str, Any]) -> Answer:
        """Load a big account."""

    @abstractmethod
    def producer(self, arguments: Mapping[str, Any]) -> Produce:
        """Return what makes the random traffic that was asked for."""

    @abstractmethod
    def own_statistics(self, now_us: int) -> Answer:
        """Return what only this venue counts, by name."""

    @abstractmethod
    def describe(self, peer: Peer, session: SessionT) -> Answer:
        """Return what the statistics tell about one subscriber."""

    @abstractmethod
    def api_keys(self) -> list[str]:
        """Return the public parts of all API keys."""

    def own_troubles(self) -> AtOnce:
        """Return what only this venue's faults do at once; none by default."""
        return {}

    @property
    def rest_url(self) -> str:
        """Scheme, host and port for REST, without a path."""
        return f"http://{self.server.listener.host}:{self.server.listener.port}"

    @property
    def ws_url(self) -> str:
        """The whole WebSocket address."""
        listener = self.server.listener
        return f"ws://{listener.host}:{listener.port}{self.stream_paths[0]}"

    async def start(self) -> None:
        """Listen, and begin the background traffic that the settings ask for."""
        await self.server.start()
        if self.state.settings.rate:
            self.traffic({"rate": self.state.settings.rate})

    async def stop(self) -> None:
        """Stop traffic, close every connection and stop listening."""
        self.pace.stop()
        await self.server.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    def statistics(self) -> Answer:
        """Return what was counted since the start."""
        now_us, counted = self.clock(), self.state.statistics
        window = f"connection_attempts_{counted.window_name}"
        return {
            "connections": len(self.connections.sessions),
            "connections_made": counted.connections,
            "connection_attempts": counted.attempts,
            window: counted.attempts_in_window(now_us),
            "slow_readers_cut_off": self.connections.cut_off,
            "subscribes": dict(counted.subscribes),
            "subscriptions": [
                self.describe(peer, session)
                | {"queued": peer.queued, "sent": peer.sent}
                for peer, session in self.connections.subscribed()
            ],
            "rest_calls": dict(counted.rest_calls),
            "rest_errors": dict(counted.rest_errors),
            "frames": dict(counted.frames),
            **self.own_statistics(now_us),
            "faults_used": dict(self.state.faults.used),
            "faults_armed": [armed.fault for armed in self.state.faults.armed],
        }

    def fault(self, name: str, **arguments: Any) -> Answer:
        """Arm or run a fault; names and arguments are in ``faults.ARGUMENTS``."""
        armed = self.state.faults.arm(name, arguments, self.clock())
        self.troubles.run(armed)
        return {"fault": armed.fault, **armed.arguments}

    def traffic(self, arguments: Mapping[str, Any]) -> Answer:
        """Start or stop random traffic; without arguments tell how it is.

        ``rate`` lines a second (0: as fast as possible), ``count`` lines in all,
        ``users`` ("masters", "all" or a list of ids, where a venue has users), ``seed``
        to begin again from a seed, ``wait`` to pause while a reader is far behind,
        ``stop``; ``load`` makes the cheapest frames there are (see ``pulse``) and meets
        no update faults.
        """
        if arguments.get("stop"):
            self.pace.stop()
        elif arguments:
            self._start_traffic(arguments)
        return {
            "running": self.pace.running,
            "done": self.pace.done,
            "wanted": self.pace.wanted,
            "rate": self.pace.rate,
        }

    def _start_traffic(self, arguments: Mapping[str, Any]) -> None:
        if "seed" in arguments:
            self.state.rng.seed(int(arguments["seed"]))
        count = arguments.get("count")
        wait = bool(arguments.get("wait", False))
        self.pace.start(
            self.producer(arguments),
            float(arguments.get("rate", 0)),
            None if count is None else int(count),
            lambda: wait and self.connections.crowded(_CROWD),
        )

    async def traffic_finished(self) -> None:
        """Wait until the traffic asked for has been produced."""
        await self.pace.finished()


LineT = TypeVar("LineT")


def newest(
    lines: Iterable[LineT], limit: int, write: Callable[[LineT], Answer]
) -> Answer:
    """Return up to ``limit`` lines, given newest first, as told newest last."""
    return {"lines": [write(line) for line in reversed(list(islice(lines, limit)))]}
