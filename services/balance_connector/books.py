"""What one account holds, as told so far, and the events that tell it further.

`Books` turns what a venue's protocol has read into `BalanceEvent` records: event ids,
keys, natures, places in a picture, explicit zeros for balances that vanished. It is
pure and venue-neutral. Two balances of a venue never share a key: where their canonical
names would make them, the later one keeps the venue's code as its asset.
"""

from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from balance_schemas.decimals import ZERO, AmountUnfitError, subtract
from balance_schemas.keys import account_key, balance_key, encode_part
from balance_schemas.records import BalanceEvent, Movement
from balance_shared.remembered import Remembered

_LIABILITIES = frozenset({"payable", "collateral_deficiency"})
_ASSETS = frozenset(
    {
        "spot",
        "margin",
        "funding",
        "derivatives",
        "earn",
        "hold",
        "collateral",
        "staked",
    }
)


@lru_cache(1024)
def nature_of(wallet: str, wallet_id: str) -> str:
    """Return what a wallet's balance may be summed with; see ``BalanceEvent.nature``.

    An unspecified wallet that the venue did not name is an asset; one with a name that
    we do not know is unknown.
    """
    if wallet in _LIABILITIES:
        return "liability"
    if wallet == "receivable":
        return "claim"
    if wallet in _ASSETS or (wallet, wallet_id) == ("unspecified", ""):
        return "asset"
    return "unknown"


REFERENCE = "account_id"
"""Attribute with the venue's own number of a balance."""

AVAILABLE = "available"
"""Attribute with what is available, as sent, where that fits no record."""

RECENT_MAX = 20_000
"""Most facts that are remembered as told."""

SAME_FACT = timedelta(seconds=5)
"""How far apart two tellings of one fact without an id may be: less than what a history
reaches back before what was missed, so that what was told has its own line there."""


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a fact that was told.

    Attributes:
        at: when it happened, as far as is known.
        key: of the balance that an update led to; "" where it is a line of a history,
            or where its line was found in one.
        balance: that balance.
    """

    at: datetime
    key: str = ""
    balance: Decimal = ZERO


Figures = tuple[Decimal, Decimal | None]
"""A balance and what is available of it."""

Recent = Remembered[str, Fact]
"""Event id → fact."""

Place = tuple[str, int, int] | tuple[None, None, None]
"""Picture that an event is part of, its place there and the picture's size."""

NO_PLACE: Place = (None, None, None)


class Pocket(NamedTuple):
    """Which balance it is: the fields of an event that never change for a key.

    `reference` is the venue's own number of it, which its history is asked for by; in
    events it is the attribute `REFERENCE`.
    """

    subaccount: str
    wallet: str
    wallet_id: str
    asset: str
    venue_asset: str
    asset_class: str = "currency"
    network: str = ""
    reference: str = ""


Spared = Collection[tuple[str, ...]] | None
"""Balances of which nothing is known: (subaccount, wallet_id, venue_asset) of each or,
where the wallet is not known either, (subaccount, asset or venue_asset). None: all."""

Covers = Callable[[Pocket], bool]
"""Says whether a picture that was asked for with a filter would tell a balance."""


class Holding(msgspec.Struct, frozen=True):
    """One balance as last told, when that arrived, and of when the venue says it is."""

    pocket: Pocket
    balance: Decimal
    told_at: datetime
    available: Decimal | None = None
    venue_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one venue.

    Attributes:
        venue: name of the venue.
        alias: our name of the account.
    """

    venue: str
    alias: str

    @property
    def key(self) -> str:
        """The account key."""
        return account_key(self.venue, self.alias)


Known = MutableMapping[str, Holding]
"""Balance key → holding: all balances that readers of the bus believe in."""


def known_from(latest: Collection[BalanceEvent]) -> dict[str, Holding]:
    """Return what readers of the bus believe in, from the records of ``latest``.

    Balances that are ``absent`` already are left out: nobody believes in them.
    """
    return {event.key: _holding(event) for event in latest if event.kind != "absent"}


def vanished_since(
    latest: Collection[BalanceEvent], time: datetime | None
) -> dict[str, Holding]:
    """Return the balances of ``latest`` that were told to be absent since a time.

    Args:
        latest: its records.
        time: as of arrival; None: no time, so none of them.
    """
    if time is None:
        return {}
    gone = (event for event in latest if event.kind == "absent")
    return {event.key: _holding(event) for event in gone if event.received_at >= time}


def _holding(event: BalanceEvent) -> Holding:
    """Return what readers believe in after an event."""
    pocket = Pocket(
        event.subaccount,
        event.wallet,
        event.wallet_id,
        event.asset,
        event.venue_asset,
        event.asset_class,
        event.network,
        event.attributes.get(REFERENCE, ""),
    )
    return Holding(
        pocket, event.balance, event.received_at, event.available, event.venue_time
    )


class Observed(msgspec.Struct, frozen=True):
    """One balance as a venue told it.

    Attributes:
        pocket: which balance.
        balance: of the wallet, after the event, in units of the asset.
        available: free part, None where not told.
        delta: net change, None where not told.
        reported: the venue's figure verbatim.
        scope: what that figure covers: wallet, account or unknown.
        venue_id: the venue's own id of the fact, if it has one.
        venue_time: when the venue says it happened.
        movements: ledger lines behind it.
        attributes: whatever else was told.
    """

    pocket: Pocket
    balance: Decimal
    available: Decimal | None = None
    delta: Decimal | None = None
    reported: Decimal | None = None
    scope: str = "wallet"
    venue_id: str | None = None
    venue_time: datetime | None = None
    movements: tuple[Movement, ...] = ()
    attributes: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True):
    """When and where something was told.

    Attributes:
        received_at: arrival of the frame or answer.
        sequence: the venue's number, or the number of the poll; None if there is none.
        place: what names the frame in ids: the sequence, else ``f<frame number>``.
    """

    received_at: datetime
    sequence: int | None
    place: str


class Books:
    """Makes the events of one feed's epoch; changes `known` as it tells them.

    Args:
        account: whose balances.
        feed: ws or rest.
        epoch: microseconds since 1970; greater than every epoch before.
        known: what readers believe in. It outlives the epoch.
        recent: the facts that were told last, so that a history does not repeat them;
            it outlives the epoch too.
    """

    def __init__(
        self,
        account: Account,
        feed: str,
        epoch: int,
        known: Known,
        recent: Recent | None = None,
    ) -> None:
        self.recent: Recent = Remembered(RECENT_MAX) if recent is None else recent
        self.account = account
        self.feed = feed
        self.epoch = epoch
        self.known = known
        self.clashes = 0
        self._codes: dict[str, str] = {}
        self._prefix = account.key

    def key(self, pocket: Pocket) -> str:
        """Return the balance key of a pocket."""
        return balance_key(
            self.account.venue,
            self.account.alias,
            pocket.subaccount,
            pocket.wallet,
            pocket.wallet_id,
            pocket.asset,
        )

    def fact(self, subaccount: str, venue_id: str) -> Fact | None:
        """Return what is remembered of a fact with an id, None where nothing is."""
        return self.recent.get(self._fact_id(subaccount, venue_id))

    def unmoved(self, rows: Sequence[Observed]) -> frozenset[str]:
        """Return the keys that a picture, not told yet, tells as they were told last.

        What was told of them before is part of the picture.
        """
        held = [(self.key(row.pocket), row) for row in rows]
        return frozenset(
            key
            for key, row in held
            if (last := self.known.get(key)) is not None
            and last.balance == row.balance
            and last.pocket.venue_asset == row.pocket.venue_asset
        )

    def update(self, observed: Observed, told: Told, position: int) -> BalanceEvent:
        """Return the event of one balance that changed.

        Args:
            observed: what was told.
            told: when and where.
            position: place of the fact in its frame, from 0.
        """
        observed = self._unclashed(observed)
        event_id = self._id(observed, told, position)
        held = self.known.get(self.key(observed.pocket))
        event = self._tell(observed, told, "update", event_id)
        if _has_line(event, None if held is None else _says(held)):
            fact = Fact(_time(event), event.key, event.balance)
            self.recent.remember(event_id, fact)
        return event

    def backfill(
        self, lines: Sequence[Observed], told: Told, until: datetime | None = None
    ) -> Iterator[BalanceEvent]:
        """Return the events of ledger lines that the stream has not told.

        The current balances stay as they are.

        Args:
            lines: with the venue's ids, oldest first.
            told: when and where.
            until: where updates have no ids that lines are known by. A line counts as
                told, too, if an update told the same balance of the same pocket within
                `SAME_FACT`; each update is told of one line, the nearest in time. For
                that lines are needed so much beyond the end: those that much later than
                `until` keep their updates from others, and are left to a later stretch.
                None: updates have the ids of lines.
        """
        untold: list[BalanceEvent] = []
        for position, line in enumerate(lines):
            observed = self._unclashed(line)
            event_id = self._id(observed, told, position)
            event = self._event(observed, told, "backfill", event_id)
            if event_id in self.recent:
                continue
            untold.append(event)
            if not _is_beyond(event, until):
                self.recent.remember(event_id, Fact(_time(event)))
        matched = self._matched(untold, until) if until else set()
        for at, event in enumerate(untold):
            if at not in matched and not _is_beyond(event, until):
                yield event

    def _matched(self, lines: Sequence[BalanceEvent], until: datetime) -> set[int]:
        """Return the places of the lines that updates without ids have told."""
        places: dict[tuple[str, Decimal], list[int]] = {}
        for at, line in enumerate(lines):
            places.setdefault((line.key, line.balance), []).append(at)
        pairs = sorted(
            (distance, number, at, name)
            for number, (name, fact) in enumerate(self.recent.items())
            if fact.key
            for at in places.get((fact.key, fact.balance), ())
            if (distance := abs(fact.at - _time(lines[at]))) <= SAME_FACT
        )
        matched: set[int] = set()
        taken: set[str] = set()
        for _, _, at, name in pairs:
            if at in matched or name in taken:
                continue
            matched.add(at)
            taken.add(name)
            if not _is_beyond(lines[at], until):
                self.recent[name] = Fact(self.recent[name].at)
        return matched

    def picture(
        self,
        rows: Sequence[Observed],
        told: Told,
        *,
        spared: Spared = (),
        covers: Covers | None = None,
    ) -> Iterator[BalanceEvent]:
        """Return the events of a full picture: all rows, then what has vanished.

        Args:
            rows: every balance in the picture, each once.
            told: when and where.
            spared: what could not be read: those balances are neither changed nor
                absent.
            covers: which balances the picture would tell; those that it would not are
                left as they are and belong to the feed no longer. None: it tells all.
        """
        rows = self._without_clashes(rows)
        return self._picture(rows, self._gone(rows, spared, covers), told)

    def changes(
        self,
        rows: Sequence[Observed],
        told: Told,
        *,
        spared: Spared = (),
        covers: Covers | None = None,
    ) -> Iterator[BalanceEvent]:
        """Return the events of a later full answer of a feed that has no updates.

        What changed is an update whose delta is new less old; what vanished is absent.
        Arguments as of `picture`.
        """
        rows = self._without_clashes(rows)
        gone = self._gone(rows, spared, covers)
        position = 0
        for row in rows:
            held = self.known.get(self.key(row.pocket))
            if held is not None and _says(held) == _says(row):
                continue
            old = held.balance if held else ZERO
            changed = replace(row, delta=_difference(row.balance, old))
            event_id = self._positional_id(told, position)
            yield self._tell(changed, told, "update", event_id)
            position += 1
        for place, pocket in enumerate(gone, start=position):
            held = self.known.get(self.key(pocket))
            delta = _difference(ZERO, held.balance) if held else None
            yield self._absent(_vanished(pocket, delta), told, place)

    def _gone(
        self,
        rows: Sequence[Observed],
        spared: Spared,
        covers: Covers | None,
    ) -> list[Pocket]:
        named = {self.key(row.pocket) for row in rows}
        if covers is not None:
            held = [(key, holding.pocket) for key, holding in self.known.items()]
            for key, pocket in held:
                if key not in named and not covers(pocket):
                    del self.known[key]
        gone = [
            (key, holding.pocket)
            for key, holding in self.known.items()
            if key not in named and not is_spared(holding.pocket, spared)
        ]
        # By key: how they were read back decides nothing that readers see.
        return [pocket for _, pocket in sorted(gone)]

    def _absent(
        self, observed: Observed, told: Told, position: int, place: Place = NO_PLACE
    ) -> BalanceEvent:
        event_id = self._positional_id(told, position)
        event = self._tell(observed, told, "absent", event_id, place)
        self.known.pop(event.key, None)
        return event

    def _picture(
        self, rows: Sequence[Observed], gone: Sequence[Pocket], told: Told
    ) -> Iterator[BalanceEvent]:
        size = len(rows) + len(gone)
        name = f"{self._prefix}|{self.feed}|{self.epoch}|{told.place}"
        for index, row in enumerate(rows):
            event_id = self._positional_id(told, index)
            yield self._tell(row, told, "snapshot", event_id, (name, index, size))
        for index, pocket in enumerate(gone, start=len(rows)):
            yield self._absent(_vanished(pocket), told, index, (name, index, size))

    def _tell(
        self,
        observed: Observed,
        told: Told,
        kind: str,
        event_id: str,
        place: Place = NO_PLACE,
    ) -> BalanceEvent:
        """Return an event that makes a current balance."""
        event = self._event(observed, told, kind, event_id, place)
        key, pocket = event.key, observed.pocket
        self.known[key] = Holding(
            pocket,
            observed.balance,
            told.received_at,
            observed.available,
            observed.venue_time,
        )
        self._codes[key] = pocket.venue_asset
        return event

    def _event(
        self,
        observed: Observed,
        told: Told,
        kind: str,
        event_id: str,
        place: Place = NO_PLACE,
    ) -> BalanceEvent:
        pocket = observed.pocket
        return BalanceEvent(
            event_id=event_id,
            venue=self.account.venue,
            account=self.account.alias,
            subaccount=pocket.subaccount,
            feed=self.feed,
            wallet=pocket.wallet,
            wallet_id=pocket.wallet_id,
            nature=nature_of(pocket.wallet, pocket.wallet_id),
            asset=pocket.asset,
            venue_asset=pocket.venue_asset,
            asset_class=pocket.asset_class,
            network=pocket.network,
            kind=kind,
            balance=observed.balance,
            available=observed.available,
            delta=observed.delta,
            reported_balance=observed.reported,
            balance_scope=observed.scope,
            movements=observed.movements,
            venue_time=observed.venue_time,
            received_at=told.received_at,
            epoch=self.epoch,
            sequence=told.sequence,
            snapshot_id=place[0],
            snapshot_index=place[1],
            snapshot_size=place[2],
            attributes=observed.attributes,
        )

    def _id(self, observed: Observed, told: Told, position: int) -> str:
        if observed.venue_id is None:
            return self._positional_id(told, position)
        return self._fact_id(observed.pocket.subaccount, observed.venue_id)

    def _fact_id(self, subaccount: str, venue_id: str) -> str:
        return f"{self._prefix}|{encode_part(subaccount)}|{encode_part(venue_id)}"

    def _positional_id(self, told: Told, position: int) -> str:
        return f"{self._prefix}|{self.feed}|{self.epoch}|{told.place}|{position}"

    def _unclashed(self, observed: Observed) -> Observed:
        """Return the row, under the venue's code if its key is another balance's."""
        key, code = self.key(observed.pocket), observed.pocket.venue_asset
        held = None if key in self._codes else self.known.get(key)
        owner = self._codes.get(key, held.pocket.venue_asset if held else code)
        return observed if owner == code else self._renamed(observed)

    def _without_clashes(self, rows: Sequence[Observed]) -> list[Observed]:
        """Return the rows of a picture with every key once.

        A key belongs to the row whose code is the canonical name itself, else to the
        code that held it before, else to the first: the order of a venue's answer may
        vary and the keys must not. All others go under their codes.
        """
        rows = list(rows)
        while True:
            owners = self._owners(rows)
            renamed = [
                row
                if owners[self.key(row.pocket)] == row.pocket.venue_asset
                else self._renamed(row)
                for row in rows
            ]
            if renamed == rows:
                return rows
            rows = renamed

    def _owners(self, rows: Sequence[Observed]) -> dict[str, str]:
        """Return key → the venue's code that it belongs to."""
        owners: dict[str, str] = {}
        for row in rows:
            key, code = self.key(row.pocket), row.pocket.venue_asset
            held = self.known.get(key)
            if (
                key not in owners
                or code == row.pocket.asset
                or (
                    held is not None
                    and held.pocket.venue_asset == code
                    and owners[key] != row.pocket.asset
                )
            ):
                owners[key] = code
        return owners

    def _renamed(self, observed: Observed) -> Observed:
        self.clashes += 1
        pocket = observed.pocket._replace(asset=observed.pocket.venue_asset)
        return replace(observed, pocket=pocket)


def changed(
    before: Mapping[str, Holding], now: Mapping[str, Holding], *, all_: bool = False
) -> tuple[Holding, ...]:
    """Return the balances that are new or differ, then those that are gone; by key.

    Args:
        before: what was known.
        now: what is.
        all_: count every balance as changed: what was known is not from just before.
    """
    new = [
        (key, holding)
        for key, holding in now.items()
        if all_ or key not in before or before[key].balance != holding.balance
    ]
    gone = [(key, holding) for key, holding in before.items() if key not in now]
    return tuple(holding for part in (new, gone) for _, holding in sorted(part))


class Facts:
    """The facts that events told, as `Books` remembers those that it tells itself.

    Pictures tell no facts; a line of a history is known by its id alone; so is an
    update that has no line.

    Attributes:
        told: the last `RECENT_MAX` of them.
    """

    def __init__(self) -> None:
        self.told: Recent = Remembered(RECENT_MAX)
        self._figures: dict[str, Figures] = {}

    def take(self, event: BalanceEvent) -> None:
        """Take in the next event of an account."""
        if event.kind == "backfill":
            self.told.remember(event.event_id, Fact(_time(event)))
            return
        before = self._figures.get(event.key)
        self._figures[event.key] = event.balance, event.available
        if event.kind == "update":
            fact = Fact(_time(event))
            if _has_line(event, before):
                fact = Fact(_time(event), event.key, event.balance)
            self.told.remember(event.event_id, fact)


class _Calculated(Protocol):
    """What may say what is available of a balance."""

    @property
    def available(self) -> Decimal | None: ...

    @property
    def attributes(self) -> Mapping[str, str]: ...


def is_calculated(told: _Calculated) -> bool:
    """Return whether it is told what is available, be it as a text alone."""
    return told.available is not None or AVAILABLE in told.attributes


def _has_line(update: BalanceEvent, before: Figures | None) -> bool:
    """Return whether a ledger has a line of an update.

    Of one that only tells what is available of a balance it has none. Where that was
    unknown and came together with another balance, a calculation found the change: the
    update of the line itself was lost, and the line is not told.

    Args:
        update: the event.
        before: figures of its balance before it; None: there are none.
    """
    if not is_calculated(update) or update.movements or before is None:
        return True
    balance, available = before
    return update.balance != balance and available is not None


def _time(event: BalanceEvent) -> datetime:
    """Return when it happened, as far as is known."""
    return event.venue_time or event.received_at


def _is_beyond(line: BalanceEvent, until: datetime | None) -> bool:
    """Whether a line is there for matching alone; see `Books.backfill`."""
    return until is not None and until < _time(line) <= until + SAME_FACT


def is_spared(pocket: Pocket, spared: Spared) -> bool:
    """Whether nothing is known of a balance."""
    if spared is None:
        return True
    subaccount, code = pocket.subaccount, pocket.venue_asset
    names = (subaccount, code), (subaccount, pocket.asset)
    return any(
        name in spared for name in (*names, (subaccount, pocket.wallet_id, code))
    )


def _says(told: Holding | Observed) -> Figures:
    """Return the figures that a reader sees."""
    return told.balance, told.available


def _vanished(pocket: Pocket, delta: Decimal | None = None) -> Observed:
    """Return the zero of a balance that is not there any more."""
    attributes: dict[str, str] = {}
    if pocket.reference:
        attributes[REFERENCE] = pocket.reference
    if pocket.network:
        base = pocket.venue_asset.removesuffix(f".{pocket.network}")
        attributes["base_asset"] = base
    return Observed(pocket, ZERO, delta=delta, attributes=attributes)


def _difference(new: Decimal, old: Decimal) -> Decimal | None:
    """Return the change, or None where it does not fit a record."""
    try:
        return subtract(new, old)
    except AmountUnfitError:
        return None
