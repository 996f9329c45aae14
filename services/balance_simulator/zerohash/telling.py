"""Carrying runs to the subscribers: one update for each account that a run touches."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from balance_simulator.connections import Connections
from balance_simulator.delivery import Delivery, next_delivery
from balance_simulator.exact import EXACT
from balance_simulator.faults import Fault
from balance_simulator.sessions import Peer
from balance_simulator.zerohash import frames
from balance_simulator.zerohash.amounts import written
from balance_simulator.zerohash.ledger import Account, Change, Run
from balance_simulator.zerohash.state import State
from balance_simulator.zerohash.stream import Session


class _Part(NamedTuple):
    """What is told of one account, under both names of its asset.

    ``named`` are the changes that go under the plain name: those of all chains, none
    where another account tells them.
    """

    change: Change
    named: Sequence[Change]


class Telling:
    """Tells subscribers about runs.

    Args:
        state: what the venue remembers.
        connections: who is told.
    """

    def __init__(self, state: State, connections: Connections[Session]) -> None:
        self._state = state
        self._connections = connections
        self._sums = state.settings.chains == "summed"

    def publish(self, runs: Sequence[Run], *, faulty: bool = True) -> int:
        """Tell every subscriber about runs; return how many accounts they touched.

        Args:
            runs: in order.
            faulty: whether armed faults of updates are met.
        """
        told = 0
        for run in runs:
            told += len(run.changes)
            for part in self._parts(run):
                self._publish(run, part, faulty=faulty)
        return told

    def _publish(self, run: Run, part: _Part, *, faulty: bool) -> None:
        texts: dict[bool, str] = {}
        reached: list[tuple[Peer, Session, str]] = []
        for peer, session in self._connections.subscribed():
            for subscription in session.listening():
                scope = subscription.scope
                account = part.change.account
                names = self._state.assets
                name = names.name(account.asset, multi_chain=scope.multi_chain)
                told = scope.multi_chain or part.named
                if not told or not scope.sees(account, name):
                    continue
                if scope.multi_chain not in texts:
                    summed = not scope.multi_chain and self._sums
                    change = _summed(part.named) if summed else part.change
                    texts[scope.multi_chain] = self._text(run, change, name)
                reached.append((peer, session, texts[scope.multi_chain]))
        if not reached:
            return
        delivery = Delivery.WHOLE
        if faulty:
            holding = any(session.outlet.held for _, session, _ in reached)
            delivery = next_delivery(self._state.faults, holding=holding)
        for peer, session, text in reached:
            for word in session.tell(text, delivery):
                peer.send(word)

    def _text(self, run: Run, change: Change, name: str) -> str:
        settings = self._state.settings
        unreadable = self._state.faults.take(Fault.FIGURE, to="update")
        balance = (
            str(unreadable.arguments["text"])
            if unreadable
            else written(change.balance, settings.amount_form, run.run_id)
        )
        account_id = self._state.ledger.record(change.account).account_id
        return frames.update(run, change, name, balance, settings, account_id)

    def _parts(self, run: Run) -> Iterator[_Part]:
        """Go through the accounts of a run; chains summed to one name come once."""
        if not self._sums or len(run.changes) == 1:
            for change in run.changes:
                yield _Part(change, (change,))
            return
        together: dict[Account, list[Change]] = {}
        for change in run.changes:
            together.setdefault(self._named(change.account), []).append(change)
        for change in run.changes:
            yield _Part(change, together.pop(self._named(change.account), ()))

    def _named(self, account: Account) -> Account:
        name = self._state.assets.name(account.asset, multi_chain=False)
        return account._replace(asset=name)


def _summed(changes: Sequence[Change]) -> Change:
    """Return what is told of several chains of one asset: all their movements."""
    first, *others = changes
    total = first.change
    movements = list(first.movements)
    for change in others:
        total = EXACT.add(total, change.change)
        movements += change.movements
    return Change(
        first.account, first.named_balance, first.named_balance, total, movements
    )
