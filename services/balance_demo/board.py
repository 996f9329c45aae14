"""What the bus says now, folded from `latest` and `status`. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from balance_schemas.keys import status_key
from balance_schemas.records import BalanceEvent, ConnectorStatus

_PICTURE = ("snapshot", "absent")


@dataclass(frozen=True, slots=True)
class Row:
    """One balance as it is shown.

    Attributes:
        key: balance key.
        venue: name of the venue.
        account: our alias, with the sub-account after a slash where there is one.
        wallet: our word and the venue's, such as ``spot/main``.
        asset: canonical code.
        balance: in units of the asset.
        change: by how much it last changed; None where it has not since the start.
        changed_at: when it last changed, UTC.
        confirmed_at: when it was last known right, UTC; None if it never was.
        state: of the feed that it comes from, such as ``live``.
    """

    key: str
    venue: str
    account: str
    wallet: str
    asset: str
    balance: Decimal
    change: Decimal | None
    changed_at: datetime
    confirmed_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class _Held:
    event: BalanceEvent
    change: Decimal | None
    changed_at: datetime
    pictured_at: datetime | None


class Board:
    """All balances and feeds; records of one key must come in topic order."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._status: dict[str, ConnectorStatus] = {}

    def take_event(self, event: BalanceEvent) -> None:
        """Take a record of the latest topic."""
        before = self._held.get(event.key)
        if before is not None and event.epoch < before.event.epoch:
            return
        self._held[event.key] = _held(event, before)

    def take_status(self, status: ConnectorStatus) -> None:
        """Take a record of the status topic."""
        self._status[status.key] = status

    def rows(self) -> list[Row]:
        """Return every balance, sorted by key."""
        return [self._row(key, held) for key, held in sorted(self._held.items())]

    def feeds(self) -> list[ConnectorStatus]:
        """Return the status of every feed that balances come from, sorted by key."""
        keys = {_feed_of(held.event) for held in self._held.values()}
        return [self._status[key] for key in sorted(keys & self._status.keys())]

    def owns_balances(self, status: ConnectorStatus) -> bool:
        """Return whether balances come from the feed of a status."""
        return any(_feed_of(held.event) == status.key for held in self._held.values())

    def _row(self, key: str, held: _Held) -> Row:
        event, status = held.event, self._status.get(_feed_of(held.event))
        confirmed = [held.pictured_at, status.confirmed_at if status else None]
        return Row(
            key=key,
            venue=event.venue,
            account="/".join(filter(None, (event.account, event.subaccount))),
            wallet="/".join(filter(None, (event.wallet, event.wallet_id))),
            asset=event.asset,
            balance=event.balance,
            change=held.change,
            changed_at=held.changed_at,
            confirmed_at=max((at for at in confirmed if at), default=None),
            state=status.state if status else "",
        )


def newest(rows: list[Row], count: int) -> list[Row]:
    """Return the rows that changed last, in the order given, so that none jumps."""
    ranked = sorted(rows, key=lambda row: row.changed_at, reverse=True)
    chosen = {row.key for row in ranked[: max(0, count)]}
    return [row for row in rows if row.key in chosen]


def _held(event: BalanceEvent, before: _Held | None) -> _Held:
    pictured = event.received_at if event.kind in _PICTURE else None
    if before is None:
        return _Held(event, event.delta, _time_of(event), pictured)
    pictured = pictured or before.pictured_at
    if before.event.balance == event.balance:
        return _Held(event, before.change, before.changed_at, pictured)
    change = event.balance - before.event.balance
    return _Held(event, change, _time_of(event), pictured)


def _time_of(event: BalanceEvent) -> datetime:
    return event.venue_time or event.received_at


def _feed_of(event: BalanceEvent) -> str:
    return status_key(event.venue, event.account, event.feed)
