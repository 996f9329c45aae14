"""Carrying ledger lines to the subscribers, in update frames that may go astray."""

from collections.abc import Sequence

from balance_simulator.faults import Fault
from balance_simulator.kraken import frames
from balance_simulator.kraken.ledger import LedgerLine
from balance_simulator.kraken.server import KrakenServer
from balance_simulator.kraken.state import State
from balance_simulator.kraken.stream import Delivery, Session


class Telling:
    """Tells subscribers about ledger lines.

    Args:
        state: what the venue remembers.
        server: whose connections are told.
    """

    def __init__(self, state: State, server: KrakenServer) -> None:
        self._state = state
        self._server = server

    def publish(self, lines: Sequence[LedgerLine], *, together: bool) -> None:
        """Tell every subscriber about lines: a frame for each, or one for all."""
        if together:
            self._publish_frame(lines)
            return
        for line in lines:
            self._publish_frame((line,))

    def publish_row(self, line: LedgerLine, row: str) -> None:
        """Tell about a line whose row is written already, for load traffic."""
        for client, session in self._server.subscribed():
            subscription = session.subscription
            if subscription is None or not self._is_for(session, line):
                continue
            rows = self._rows(session, (line,)) if subscription.everyone else [row]
            for text in session.tell(rows, Delivery.WHOLE):
                client.send(text)

    def _publish_frame(self, lines: Sequence[LedgerLine]) -> None:
        subscribers = []
        for client, session in self._server.subscribed():
            mine = [line for line in lines if self._is_for(session, line)]
            if mine:
                subscribers.append((client, session, mine))
        if not subscribers:
            return
        delivery = self._next_delivery([session for _, session, _ in subscribers])
        for client, session, mine in subscribers:
            for text in session.tell(self._rows(session, mine), delivery):
                client.send(text)

    def _is_for(self, session: Session, line: LedgerLine) -> bool:
        master = self._state.ledger.users[line.entry.wallet.user].master
        return bool(session.subscription and session.subscription.wants(line, master))

    def _rows(self, session: Session, lines: Sequence[LedgerLine]) -> list[str]:
        subscription = session.subscription
        return [
            frames.update_row(
                line,
                self._state.assets,
                self._state.settings.balance_scope,
                with_user=bool(subscription and subscription.everyone),
                rebased=bool(subscription and subscription.rebased),
            )
            for line in lines
        ]

    def _next_delivery(self, sessions: Sequence[Session]) -> Delivery:
        """Choose how the next update frame fares, using up armed faults."""
        faults = self._state.faults
        if faults.take(Fault.GAP):
            return Delivery.DROPPED
        if faults.take(Fault.TRUNCATE, to="stream"):
            return Delivery.CUT
        if not any(session.held for session in sessions) and faults.take(Fault.REORDER):
            return Delivery.HELD
        return Delivery.WHOLE
