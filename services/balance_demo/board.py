"""What the bus says now, folded from its topics. No I/O."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal

from balance_demo.books import Books, place_of
from balance_schemas.keys import status_key
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Reconciliation,
    Record,
)
from balance_schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    LATEST,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
    Topic,
)
from balance_shared.watermark import WORST_FIRST, Standing, standings, watermark

READ = (LATEST, STATUS, EVENTS, RECONCILIATIONS, PROOFS, DEAD_LETTERS)
"""The topics that a board is made of."""

_WIDE = Context(prec=60)
"""Sums over venues may be larger than any record holds."""


@dataclass(slots=True)
class VenueView:
    """One venue, as its topics tell it.

    Attributes:
        name: of the venue.
        status: of the feed that its balances come from; None before there is one.
        balances: how many it has.
        told: events, each id counted once.
        late: of these, how many came from the venue's history.
        verdicts: verdict → how many comparisons of stream and REST came to it.
        verdict: the last of them; empty before.
        standing: how far its balances are proven; None before any is known.
        worst: the worst verdict of proof on one of them; None before there is one.
    """

    name: str
    status: ConnectorStatus | None = None
    balances: int = 0
    told: int = 0
    late: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    verdict: str = ""
    standing: Standing | None = None
    worst: BalanceProof | None = None

    @property
    def proven(self) -> int:
        """How many of its balances are proven."""
        return self.standing.counts.get("PROVEN", 0) if self.standing else 0

    @property
    def state(self) -> str:
        """Of the feed that its balances come from, such as ``live``."""
        return self.status.state if self.status else ""


@dataclass(slots=True)
class Holding:
    """One asset over all venues.

    Attributes:
        asset: canonical code, without the chain.
        net: venue → assets less liabilities, in units of the asset, exact.
        claims: what is to be received, over all venues; in no other sum.
        changed_at: when one of its balances was last told, UTC.
        confirmed_at: since when at least one venue's part has not been confirmed, UTC;
            None if one never was.
        doubtful: venues that hold it and are not live.
    """

    asset: str
    net: dict[str, Decimal]
    claims: Decimal
    changed_at: datetime
    confirmed_at: datetime | None
    doubtful: tuple[str, ...]

    @property
    def total(self) -> Decimal:
        """Assets less liabilities over all venues, exact."""
        return _sum(self.net.values())


class Board:
    """All balances and feeds; records of one key must come in topic order.

    Args:
        venues: names, in the order in which they are shown.
    """

    def __init__(self, venues: Iterable[str]) -> None:
        self._held: dict[str, BalanceEvent] = {}
        self._status: dict[str, ConnectorStatus] = {}
        self._proofs: dict[str, BalanceProof] = {}
        self._ids: set[str] = set()
        self._views = {name: VenueView(name) for name in venues}
        self.dead_letters = 0

    def take(self, topic: Topic, record: Record) -> None:
        """Take a record of one of the topics in `READ`."""
        if isinstance(record, ConnectorStatus):
            self._status[record.key] = record
        elif isinstance(record, BalanceEvent):
            self._take_event(topic, record)
        elif isinstance(record, Reconciliation):
            self._take_verdict(record)
        elif isinstance(record, BalanceProof):
            self._proofs[record.key] = record
        else:
            self.dead_letters += 1

    def owns_balances(self, status: ConnectorStatus) -> bool:
        """Return whether balances come from the feed of a status."""
        return any(_feed_of(event) == status.key for event in self._held.values())

    def books(self, venue: str = "") -> Books:
        """Return the current balances, of one venue or of all."""
        held = self._held.values()
        return {
            place_of(event): event.balance
            for event in held
            if not venue or event.venue == venue
        }

    def venues(self) -> list[VenueView]:
        """Return every venue, in the order given."""
        for view in self._views.values():
            view.balances, view.worst = 0, None
        for event in self._held.values():
            view = self._views[event.venue]
            view.status = self._status.get(_feed_of(event))
            view.balances += 1
        for standing in self._standings():
            self._views[standing.venue].standing = standing
        for proof in self._proofs.values():
            view = self._views[proof.venue]
            if view.worst is None or _rank(proof) < _rank(view.worst):
                view.worst = proof
        return list(self._views.values())

    def watermark(self) -> datetime | None:
        """Return up to when all is proven, UTC; None while any balance never was."""
        found = self._standings()
        return watermark(found) if len(found) == len(self._views) else None

    def _standings(self) -> list[Standing]:
        held = self._held.values()
        return standings(
            self._proofs.values(), {(each.venue, each.account) for each in held}
        )

    def holdings(self) -> list[Holding]:
        """Return every asset, those at most venues first, then by name."""
        by_asset: dict[str, list[BalanceEvent]] = {}
        for event in self._held.values():
            asset = event.attributes.get("base_asset", event.asset)
            by_asset.setdefault(asset, []).append(event)
        found = [self._holding(*one) for one in by_asset.items()]
        return sorted(found, key=lambda each: (-len(each.net), each.asset))

    def _take_event(self, topic: Topic, event: BalanceEvent) -> None:
        if topic is LATEST:
            before = self._held.get(event.key)
            if before is None or event.epoch >= before.epoch:
                self._held[event.key] = event
            return
        if event.event_id not in self._ids:
            self._ids.add(event.event_id)
            view = self._views[event.venue]
            view.told += 1
            view.late += event.kind == "backfill"

    def _take_verdict(self, record: Reconciliation) -> None:
        view = self._views[record.venue]
        view.verdicts[record.verdict] += 1
        view.verdict = record.verdict

    def _holding(self, asset: str, events: list[BalanceEvent]) -> Holding:
        venues = [name for name in self._views if any(name == e.venue for e in events)]
        feeds = {event.venue: self._status.get(_feed_of(event)) for event in events}
        confirmed = [feed.confirmed_at if feed else None for feed in feeds.values()]
        known = [at for at in confirmed if at]
        return Holding(
            asset,
            net={name: _net(e for e in events if e.venue == name) for name in venues},
            claims=_sum(e.balance for e in events if e.nature == "claim"),
            changed_at=max(event.received_at for event in events),
            confirmed_at=min(known) if len(known) == len(confirmed) else None,
            doubtful=tuple(name for name in venues if _doubtful(feeds[name])),
        )


def _rank(proof: BalanceProof) -> int:
    return WORST_FIRST.index(proof.verdict)


def _net(events: Iterable[BalanceEvent]) -> Decimal:
    return _sum(
        event.balance if event.nature == "asset" else event.balance.copy_negate()
        for event in events
        if event.nature in {"asset", "liability"}
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _WIDE.add(total, amount)
    return total


def _doubtful(status: ConnectorStatus | None) -> bool:
    return status is None or status.state != "live"


def _feed_of(event: BalanceEvent) -> str:
    return status_key(event.venue, event.account, event.feed)
