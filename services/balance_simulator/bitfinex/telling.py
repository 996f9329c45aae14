"""Carrying ledger lines to the clients, in update frames that may go astray."""

from collections.abc import Sequence

from balance_simulator.bitfinex import pictures
from balance_simulator.bitfinex.frames import number
from balance_simulator.bitfinex.ledger import LedgerLine
from balance_simulator.bitfinex.state import State
from balance_simulator.bitfinex.stream import Session
from balance_simulator.connections import Connections
from balance_simulator.delivery import Delivery, next_delivery
from balance_simulator.faults import Fault
from balance_simulator.pace import Clock
from balance_simulator.sessions import Peer

_LEGS = 2


class Telling:
    """Tells clients about ledger lines.

    Args:
        state: what the venue remembers.
        connections: who is told.
        clock: the venue's time, told where clients asked for it.
    """

    def __init__(
        self, state: State, connections: Connections[Session], clock: Clock
    ) -> None:
        self._state = state
        self._connections = connections
        self._clock = clock

    def publish(self, lines: Sequence[LedgerLine]) -> None:
        """Tell about the lines of one operation: a frame for each, and the rest."""
        if not lines:
            return
        kind = lines[0].entry.kind
        if kind == "trade":
            self._noise("trading", "te", lines)
        for line in lines:
            self._publish_line(line)
        if kind == "trade":
            self._noise("trading", "tu", lines)
        if kind == "transfer":
            self._noise("notify", "n", lines)
        self._noise("balance", "bu", lines)

    def publish_payload(self, line: LedgerLine, payload: str) -> None:
        """Tell about a line whose row is written already, for load traffic."""
        self._state.account_seq += 1
        for peer, session in self._connections.subscribed():
            if session.wants(line):
                for text in session.tell(payload, Delivery.WHOLE, line.at_us):
                    peer.send(text)

    def _publish_line(self, line: LedgerLine) -> None:
        self._state.account_seq += 1
        audience = [
            (peer, session)
            for peer, session in self._connections.subscribed()
            if session.wants(line)
        ]
        if not audience:
            return
        faults = self._state.faults
        holding = any(session.outlet.held for _, session in audience)
        delivery = next_delivery(faults, holding=holding)
        figure = faults.take(Fault.FIGURE, to="update")
        balance = str(figure.arguments["text"]) if figure else number(line.balance)
        payload = pictures.update(self._state, line, balance)
        now_us = self._clock()
        for peer, session in audience:
            for text in session.tell(payload, delivery, now_us):
                peer.send(text)

    def _noise(self, category: str, kind: str, lines: Sequence[LedgerLine]) -> None:
        """Tell those who hear it about something that no balance hangs on."""
        audience: list[tuple[Peer, Session]] = [
            (peer, session)
            for peer, session in self._connections.subscribed()
            if session.hears(category)
        ]
        if not audience:
            return
        codes = [self._code(line) for line in lines[:_LEGS]]
        if kind == "bu":
            payload = pictures.totals(self._state)
        elif kind == "n":
            payload = pictures.transferred(lines, codes)
        else:
            payload = pictures.traded(lines, codes, kind)
        now_us = self._clock()
        for peer, session in audience:
            peer.send(session.array(kind, payload, now_us))

    def _code(self, line: LedgerLine) -> str:
        return self._state.currencies.internal(line.entry.wallet.currency).code
