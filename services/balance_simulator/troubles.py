"""What faults do at the moment at which they are asked for; the others lie in wait."""

from collections.abc import Callable, Mapping
from typing import Any

from balance_simulator.connections import Connections
from balance_simulator.faults import Armed, Fault, FaultError

AtOnce = Mapping[Fault, Callable[[Armed], None]]


class Troubles:
    """Runs faults on the connections that there are.

    Args:
        connections: who suffers.
        own: what the venue's own faults do at once.
    """

    def __init__(self, connections: Connections[Any], own: AtOnce) -> None:
        self._connections = connections
        self._at_once: AtOnce = {
            Fault.DUPLICATE: self._duplicate,
            Fault.RAW: self.raw,
            Fault.SILENCE: self._silence,
            Fault.HALF_OPEN: self._half_open,
            Fault.CLOSE: self._close,
            Fault.LAPSE: self._lapse,
            Fault.MAINTENANCE: self._announce,
            Fault.CLEAR: self._announce,
            **own,
        }

    def run(self, armed: Armed) -> None:
        """Do what a fault does at once, if anything."""
        at_once = self._at_once.get(armed.fault)
        if at_once:
            at_once(armed)

    def _duplicate(self, _armed: Armed) -> None:
        for peer, session in self._connections.subscribed():
            if session.last_text:
                peer.send(session.last_text)

    def raw(self, armed: Armed) -> None:
        """Say any text to all subscribers, as often as asked for.

        Raises:
            FaultError: it was to be numbered, which only the venue itself can do.
        """
        if armed.arguments["to"] != "stream":
            return
        self._connections.memory.faults.armed.remove(armed)
        if armed.arguments["numbered"]:
            raise FaultError("this venue numbers no text that is not its own")
        for peer, _session in self._connections.subscribed():
            for _ in range(int(armed.arguments["count"])):
                peer.send(str(armed.arguments["text"]))

    def _silence(self, armed: Armed) -> None:
        for peer in self._connections.sessions:
            peer.silence(armed.until_us or 0, lose=bool(armed.arguments["lose"]))

    def _half_open(self, _armed: Armed) -> None:
        for peer in self._connections.sessions:
            peer.silence(float("inf"), lose=True)

    def _close(self, armed: Armed) -> None:
        code, reason = int(armed.arguments["code"]), str(armed.arguments["reason"])
        for peer in list(self._connections.sessions):
            if armed.arguments["abort"]:
                peer.abort()
            else:
                peer.close(code, reason)

    def _lapse(self, _armed: Armed) -> None:
        """End the subscriptions without a word; the connections stay."""
        for _peer, session in self._connections.subscribed():
            session.closed()

    def _announce(self, _armed: Armed) -> None:
        self._connections.tick()
