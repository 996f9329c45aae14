"""Carrying ledger lines to the subscribers, in update frames that may go astray."""

from collections.abc import Sequence

from balance_simulator.connections import Connections
from balance_simulator.delivery import Delivery, next_delivery
from balance_simulator.faults import Fault
from balance_simulator.kraken import frames
from balance_simulator.kraken.ledger import LedgerLine
from balance_simulator.kraken.state import State
from balance_simulator.kraken.stream import Session


class Telling:
    """Tells subscribers about ledger lines.

    Args:
        state: what the venue remembers.
        connections: who is told.
    """

    def __init__(self, state: State, connections: Connections[Session]) -> None:
        self._state = state
        self._connections = connections

    def publish(self, lines: Sequence[LedgerLine], *, together: bool) -> None:
        """Tell every subscriber about lines: a frame for each, or one for all."""
        if together:
            self._publish_frame(lines)
            return
        for line in lines:
            self._publish_frame((line,))

    def publish_row(self, line: LedgerLine, row: str) -> None:
        """Tell about a line whose row is written already, for load traffic."""
        for client, session in self._connections.subscribed():
            subscription = session.subscription
            if subscription is None or not self._is_for(session, line):
                continue
            rows = self._rows(session, (line,)) if subscription.everyone else [row]
            for text in session.tell(rows, Delivery.WHOLE):
                client.send(text)

    def _publish_frame(self, lines: Sequence[LedgerLine]) -> None:
        subscribers = []
        for client, session in self._connections.subscribed():
            mine = [line for line in lines if self._is_for(session, line)]
            if mine:
                subscribers.append((client, session, mine))
        if not subscribers:
            return
        holding = any(session.outlet.held for _, session, _ in subscribers)
        delivery = next_delivery(self._state.faults, holding=holding)
        for client, session, mine in subscribers:
            for text in session.tell(self._rows(session, mine), delivery):
                client.send(text)

    def _is_for(self, session: Session, line: LedgerLine) -> bool:
        master = self._state.ledger.users[line.entry.wallet.user].master
        return bool(session.subscription and session.subscription.wants(line, master))

    def _rows(self, session: Session, lines: Sequence[LedgerLine]) -> list[str]:
        subscription = session.subscription
        rows = [
            frames.update_row(
                line,
                self._state.assets,
                self._state.settings.balance_scope,
                with_user=bool(subscription and subscription.everyone),
                rebased=bool(subscription and subscription.rebased),
            )
            for line in lines
        ]
        figure = self._state.faults.take(Fault.FIGURE, to="update")
        if figure:
            rows[0] = frames.with_figure(rows[0], str(figure.arguments["text"]))
        return rows
