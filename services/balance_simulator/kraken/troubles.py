"""What faults do at the moment at which they are asked for; the others lie in wait."""

from collections.abc import Callable, Mapping

from balance_simulator.faults import Armed, Fault
from balance_simulator.kraken.server import KrakenServer
from balance_simulator.kraken.state import State


class Troubles:
    """Runs faults on the connections that there are.

    Args:
        state: what the venue remembers.
        server: whose connections suffer.
    """

    def __init__(self, state: State, server: KrakenServer) -> None:
        self._state = state
        self._server = server
        self._at_once: Mapping[Fault, Callable[[Armed], None]] = {
            Fault.DUPLICATE: self._duplicate,
            Fault.RAW: self._raw,
            Fault.SILENCE: self._silence,
            Fault.HALF_OPEN: self._half_open,
            Fault.CLOSE: self._close,
            Fault.INVALID_SESSION: self._invalid_session,
            Fault.MAINTENANCE: self._announce,
            Fault.CLEAR: self._announce,
        }

    def run(self, armed: Armed) -> None:
        """Do what a fault does at once, if anything."""
        at_once = self._at_once.get(armed.fault)
        if at_once:
            at_once(armed)

    def _duplicate(self, _armed: Armed) -> None:
        for client, session in self._server.subscribed():
            if session.last_text:
                client.send(session.last_text)

    def _raw(self, armed: Armed) -> None:
        if armed.arguments["to"] != "stream":
            return
        self._state.faults.armed.remove(armed)
        for client, _session in self._server.subscribed():
            for _ in range(int(armed.arguments["count"])):
                client.send(str(armed.arguments["text"]))

    def _silence(self, armed: Armed) -> None:
        for client in self._server.sessions:
            client.silence(armed.until_us or 0, lose=bool(armed.arguments["lose"]))

    def _half_open(self, _armed: Armed) -> None:
        for client in self._server.sessions:
            client.silence(float("inf"), lose=True)

    def _close(self, armed: Armed) -> None:
        code, reason = int(armed.arguments["code"]), str(armed.arguments["reason"])
        for client in list(self._server.sessions):
            if armed.arguments["abort"]:
                client.abort()
            else:
                client.close(code, reason)

    def _invalid_session(self, _armed: Armed) -> None:
        self._state.tokens.invalidate()

    def _announce(self, _armed: Armed) -> None:
        self._server.announce_status()
