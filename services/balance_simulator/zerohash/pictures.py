"""Who is told about which accounts, and what a picture of them says: pure.

Scope of a key: accounts whose participant or whose group it is, and only those that
are not empty (vendor's guide "Balances websocket"). A filter narrows that down (page
"Balances", section Subscription Filters).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from balance_simulator.exact import EXACT
from balance_simulator.faults import Fault
from balance_simulator.zerohash import frames
from balance_simulator.zerohash.amounts import written
from balance_simulator.zerohash.ledger import Account, Record
from balance_simulator.zerohash.state import State


@dataclass(frozen=True, slots=True)
class Scope:
    """Which accounts a subscriber or caller sees, and how their assets are named.

    Attributes:
        owner: code of the platform.
        multi_chain: whether assets are named with their chain.
        filter: what the accounts have to be, by ``account_owner``, ``account_group``,
            ``account_label``, ``account_type`` and ``asset``; other names are not
            looked at.
    """

    owner: str
    multi_chain: bool
    filter: Mapping[str, object]

    def sees(self, account: Account, asset: str) -> bool:
        """Tell whether an account, whose asset is told under this name, is seen."""
        if self.owner not in {account.participant_code, account.account_group}:
            return False
        if not self.filter:
            return True
        own = {
            "account_owner": account.participant_code,
            "account_group": account.account_group,
            "account_label": account.account_label,
            "account_type": account.account_type,
            "asset": asset,
        }
        return all(own.get(name, value) == value for name, value in self.filter.items())


def visible(state: State, scope: Scope) -> Iterator[tuple[Account, Record, str]]:
    """Go through the accounts seen, as opened, with the names of their assets."""
    names = {
        asset.code: state.assets.name(asset.code, multi_chain=scope.multi_chain)
        for asset in state.assets
    }
    for account, record in state.ledger.records.items():
        name = names[account.asset]
        if scope.sees(account, name):
            yield account, record, name


def initial_balance(state: State, scope: Scope) -> str:
    """Return the picture: one message, however many accounts there are."""
    settings = state.settings
    setting = frames.layout(settings)
    unreadable = state.faults.take(Fault.FIGURE, to="snapshot")
    rows = []
    for account, record, name, balance in _told(state, scope):
        if not (balance or settings.snapshot_zeros):
            continue
        text = written(balance, settings.amount_form, record.number)
        if unreadable:
            text, unreadable = str(unreadable.arguments["text"]), None
        rows.append(frames.picture_row(account, record, name, text, settings, setting))
    return frames.picture(rows, setting)


def _told(state: State, scope: Scope) -> Iterator[tuple[Account, Record, str, Decimal]]:
    """Go through the rows of a picture: chains of one name summed, or not."""
    if scope.multi_chain or state.settings.chains == "repeated":
        for account, record, name in visible(state, scope):
            yield account, record, name, record.balance
        return
    sums: dict[tuple[str, ...], tuple[Account, Record, str]] = {}
    totals: dict[tuple[str, ...], Decimal] = {}
    for account, record, name in visible(state, scope):
        key: tuple[str, ...] = (*account[:4], name)
        sums.setdefault(key, (account, record, name))
        so_far = totals.get(key)
        held = record.balance
        totals[key] = held if so_far is None else EXACT.add(so_far, held)
    for named, first in sums.items():
        yield (*first, totals[named])
