"""What is known of every balance and account, folded from records. No I/O."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from balance_schemas.decimals import to_unscaled
from balance_schemas.records import BalanceEvent, ConnectorStatus

UNITS = 10**18
"""Amounts are kept as integers of this many units: sums are exact, of any size."""

_PICTURE = ("snapshot", "absent")


class Series(NamedTuple):
    """Labels of one series; several wallet ids of one wallet are summed in it."""

    venue: str
    account: str
    subaccount: str
    wallet: str
    asset: str


@dataclass(frozen=True, slots=True)
class Values:
    """What one series shows.

    Attributes:
        balance: in 10⁻¹⁸ of the asset.
        available: free part in 10⁻¹⁸ of the asset; None if any part is unknown.
        changed: when the balance last changed, UTC.
        confirmed: when it was last known right, UTC; None if it never was.
    """

    balance: int
    available: int | None
    changed: datetime
    confirmed: datetime | None


@dataclass(frozen=True, slots=True)
class _Held:
    """One balance key."""

    series: Series
    feed: str
    epoch: int
    balance: int
    available: int | None
    changed: datetime
    confirmed: datetime | None


class State:
    """All balances and the feeds that they come from.

    The records of one key must come in topic order; those of different topics may
    come in any.

    Args:
        assets: assets that have series; empty for all.
    """

    def __init__(self, assets: Collection[str] = ()) -> None:
        self._assets = frozenset(assets)
        self._held: dict[str, _Held] = {}
        self._keys: dict[Series, set[str]] = {}
        self._accounts: dict[tuple[str, str], set[Series]] = {}
        self._confirmed: dict[tuple[str, str, str], datetime] = {}
        self._feeds: dict[str, tuple[str, str]] = {}
        self._gone: set[tuple[str, str]] = set()

    def take_balance(self, key: str, event: BalanceEvent | None) -> set[Series]:
        """Take a record of the latest topic.

        Args:
            key: its balance key.
            event: the record, or None for a tombstone: the balance is forgotten. Also
                give None for a record that cannot be read: no figure is better than
                an outdated one.

        Returns:
            The series whose values may be others now.
        """
        held = self._held.get(key)
        if event is None:
            return self._forget(key, held)
        if event.kind == "backfill" or (held and event.epoch < held.epoch):
            return set()
        series = Series(
            event.venue, event.account, event.subaccount, event.wallet, event.asset
        )
        self._held[key] = _held(series, event, held)
        self._keys.setdefault(series, set()).add(key)
        self._accounts.setdefault(series[:2], set()).add(series)
        return {series}

    def take_status(self, key: str, status: ConnectorStatus | None) -> set[Series]:
        """Take a record of the status topic.

        Args:
            key: its key, account and feed.
            status: the record, or None for a tombstone: the feed is given up. An
                account whose feeds are all given up has no series.

        Returns:
            The series whose values may be others now.
        """
        if status is None:
            account = self._feeds.pop(key, None)
            if account is None or account in self._feeds.values():
                return set()
            self._gone.add(account)
            return self.series_of(account)
        account = status.venue, status.account
        self._feeds[key] = account
        back = account in self._gone
        self._gone.discard(account)
        later = self._confirm((*account, status.feed), status.confirmed_at)
        return self.series_of(account) if later or back else set()

    def series_of(self, account: tuple[str, str]) -> set[Series]:
        """Return the series of an account, given as (venue, account)."""
        return set(self._accounts.get(account, ()))

    def series(self) -> set[Series]:
        """Return every series that there is or was."""
        return set(self._keys)

    def values(self, series: Series) -> Values | None:
        """Return what a series shows, or None if it is not to be shown."""
        if series[:2] in self._gone or not self._allowed(series.asset):
            return None
        parts = [self._held[key] for key in self._keys.get(series, ())]
        if not parts:
            return None
        free = [part.available for part in parts]
        right = [self._confirmed_at(part) for part in parts]
        known_free = [amount for amount in free if amount is not None]
        known_right = [time for time in right if time is not None]
        return Values(
            balance=sum(part.balance for part in parts),
            available=sum(known_free) if len(known_free) == len(parts) else None,
            changed=max(part.changed for part in parts),
            confirmed=min(known_right) if len(known_right) == len(parts) else None,
        )

    def not_exported(self) -> dict[tuple[str, str], int]:
        """Return (venue, account) → number of balances of assets without series."""
        counts: dict[tuple[str, str], int] = {}
        if not self._assets:
            return counts
        for held in self._held.values():
            account = held.series[:2]
            if account not in self._gone and not self._allowed(held.series.asset):
                counts[account] = counts.get(account, 0) + 1
        return counts

    def _allowed(self, asset: str) -> bool:
        return not self._assets or asset in self._assets

    def _forget(self, key: str, held: _Held | None) -> set[Series]:
        if held is None:
            return set()
        del self._held[key]
        self._keys[held.series].discard(key)
        return {held.series}

    def _confirm(self, feed: tuple[str, str, str], at: datetime | None) -> bool:
        """Note that a feed was right at a time; returns whether that is news."""
        known = self._confirmed.get(feed)
        if at is None or (known is not None and at <= known):
            return False
        self._confirmed[feed] = at
        return True

    def _confirmed_at(self, held: _Held) -> datetime | None:
        """Return the later of what the picture and the feed's status say.

        Events come from the primary feed, so the event's feed is the one that counts.
        """
        feed = held.series.venue, held.series.account, held.feed
        return _later(held.confirmed, self._confirmed.get(feed))


def _held(series: Series, event: BalanceEvent, before: _Held | None) -> _Held:
    balance = to_unscaled(event.balance)
    same = before is not None and before.balance == balance
    confirmed = event.received_at if event.kind in _PICTURE else None
    return _Held(
        series=series,
        feed=event.feed,
        epoch=event.epoch,
        balance=balance,
        available=_available(event),
        changed=before.changed if before and same else _time_of(event),
        confirmed=_later(confirmed, before.confirmed if before else None),
    )


def _available(event: BalanceEvent) -> int | None:
    """Return the free part; of a balance that is absent nothing is free."""
    if event.kind == "absent":
        return 0
    return None if event.available is None else to_unscaled(event.available)


def _time_of(event: BalanceEvent) -> datetime:
    return event.venue_time or event.received_at


def _later(left: datetime | None, right: datetime | None) -> datetime | None:
    times = [time for time in (left, right) if time is not None]
    return max(times) if times else None
