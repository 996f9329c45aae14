"""Who is connected, over sockets or in memory, and what they are told: no I/O.

The one place that joins a ``Peer`` (which carries) with a ``Session`` (which speaks).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from balance_simulator.exact import MICROSECONDS
from balance_simulator.faults import Fault
from balance_simulator.pace import Clock
from balance_simulator.sessions import Goodbye, Memory, Peer, Said, Session

SessionT = TypeVar("SessionT", bound=Session)
_TICKS_PER_HEARTBEAT = 4
_TICK_S_MAX = 0.25


class Connections(Generic[SessionT]):
    """All connections of one venue.

    Args:
        memory: what the venue remembers.
        new_session: opens the conversation of a new connection.
        clock: the venue's time in microseconds since 1970, UTC.

    Attributes:
        sessions: peer → session, in the order in which they connected.
        cut_off: connections dropped because they did not read.
    """

    def __init__(
        self, memory: Memory, new_session: Callable[[], SessionT], clock: Clock
    ) -> None:
        self.sessions: dict[Peer, SessionT] = {}
        self.cut_off = 0
        self.memory = memory
        self.clock = clock
        self._new_session = new_session

    @property
    def tick_s(self) -> float:
        """Seconds between two calls of ``tick``."""
        heartbeat_s = self.memory.settings.heartbeat_s
        return min(heartbeat_s / _TICKS_PER_HEARTBEAT, _TICK_S_MAX)

    def refusal(self) -> int | None:
        """Count a connection attempt; return the HTTP status that refuses it, if any.

        Returns:
            The fault's (503 unless told) while the venue takes no connections, 403
            while it refuses the address that they come from, 429 above its limit, None
            to let the client in.
        """
        now_us = self.clock()
        attempts = self.memory.statistics.attempt(now_us)
        refused = self.memory.faults.active(Fault.REFUSE_CONNECTIONS, now_us)
        if refused:
            return int(refused.arguments["status"])
        if self.memory.faults.active(Fault.FORBIDDEN, now_us):
            return 403
        most = self.memory.settings.connections_max
        if most is not None and attempts > most:
            return 429
        return None

    def join(self, peer: Peer) -> SessionT:
        """Begin the conversation with a client whose handshake is done."""
        now_us = self.clock()
        self.memory.statistics.connections += 1
        silence = self.memory.faults.active(Fault.SILENCE, now_us)
        if silence and silence.until_us:
            peer.silence(silence.until_us, lose=bool(silence.arguments["lose"]))
        session = self.sessions[peer] = self._new_session()
        self.say(peer, session.opened(now_us))
        return session

    def heard(self, peer: Peer, text: str) -> None:
        """Answer one frame of a client."""
        session = self.sessions.get(peer)
        if session:
            self.say(peer, session.receive(text, self.clock()))

    def leave(self, peer: Peer) -> None:
        """Forget a client whose connection is lost; a second time does nothing."""
        session = self.sessions.pop(peer, None)
        if session:
            session.closed()
            self.cut_off += peer.cut_off

    def subscribed(self) -> Iterator[tuple[Peer, SessionT]]:
        """Go through the connections that are told about the ledger's lines."""
        for peer, session in list(self.sessions.items()):
            if session.subscribed:
                yield peer, session

    def tick(self) -> None:
        """Say what is due to every client."""
        for peer in list(self.sessions):
            self.tick_one(peer)

    def tick_one(self, peer: Peer) -> None:
        """Say what is due to one client: heartbeats, late frames, a changed status."""
        session = self.sessions.get(peer)
        if session:
            now_us = self.clock()
            quiet_us = 0 if peer.silent else now_us - peer.last_sent_us
            self.say(peer, session.due(now_us, quiet_us))

    def say(self, peer: Peer, said: Iterable[Said]) -> None:
        """Queue texts for a client, and close the connection where that is said."""
        for word in said:
            if isinstance(word, Goodbye):
                peer.close(word.code, word.reason)
            else:
                peer.send(word)

    def go_away(self) -> None:
        """Close every connection with 1001, or abruptly where it is silent."""
        for peer in list(self.sessions):
            if peer.silent:
                peer.abort()
            else:
                peer.close(1001, "going away")

    def crowded(self, queued_max: int) -> bool:
        """Tell whether a client has more than this many frames to read."""
        return any(peer.queued > queued_max for peer in self.sessions)


def due_us(now_us: int, seconds: object) -> int:
    """Return the time this many seconds (a number, or text of one) from now."""
    return now_us + int(float(str(seconds)) * MICROSECONDS)
