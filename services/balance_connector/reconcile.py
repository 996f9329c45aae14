"""Compares what a stream told with what polls tell: pure, by the sandwich rule.

A poll is a picture of some moment between its request and its answer. A balance that no
event moved from just before the request until a settle time after the answer had one
value all the while, so both sources must name it. What moved meanwhile is undecided and
is looked at again with the next answer. A difference counts when two answers in a row
show the same one: venues answer polls from caches that may lag. A balance that moves
differs otherwise each time: three answers count while its streamed figure stands still.
Where an answer says of when its balances are, one that is older than what the stream
told last is undecided.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import NamedTuple

import msgspec

from balance_connector.books import Holding, Pocket, is_spared
from balance_connector.venue import Picture
from balance_schemas.decimals import ZERO, AmountUnfitError, exact, subtract
from balance_schemas.records import Difference

BEFORE = timedelta(seconds=2)
"""How long before the request a balance must have been at rest."""

DATES_APART = timedelta(seconds=1)
"""How far apart stream and polls may date one change. Of two that follow each other as
soon the second may be lost: that must not pass for polls that lag."""

LAG_MAX = timedelta(hours=1)
"""How long polls may lag behind the stream by their own times. After that they are
taken at their word: a venue that dates nothing anew must not hide a lost message."""

DIFFERENCES_MAX = 1_000
"""Most differences that one record lists: it has to fit a Kafka record."""


class Answered(NamedTuple):
    """One whole round of polls.

    Attributes:
        picture: what it told.
        requested_at: before the first call.
        answered_at: after the last.
        calls: how many answers it is made of.
    """

    picture: Picture
    requested_at: datetime
    answered_at: datetime
    calls: int


Group = tuple[str, str, str]
"""What is compared: subaccount, the venue's word for the wallet, its code of the asset.
Where stream and polls name things differently: subaccount, "", the canonical asset;
and, as far as they agree on those sums, the kind of wallet in between."""


class Sums(NamedTuple):
    """What one source says of a group.

    Attributes:
        amount: sum of its balances.
        pocket: of one of them.
        told_at: when the last of them arrived; None for polls.
        venue_time: of when the newest of them is, as the venue says; None: it does not.
    """

    amount: Decimal
    pocket: Pocket
    told_at: datetime | None = None
    venue_time: datetime | None = None


class Found(NamedTuple):
    """What comparing has established so far.

    Attributes:
        agreed: groups on which both sources were seen to agree while at rest.
        open: group → difference that is undecided, or was seen once.
        confirmed: group → difference that was seen twice, the same both times; or
            `STOOD_STILL` times, whatever it was, while the streamed figure stood still.
        seen: group → how often in a row it differed while that stood still.
    """

    agreed: frozenset[Group] = frozenset()
    open: Mapping[Group, Difference] = {}
    confirmed: Mapping[Group, Difference] = {}
    seen: Mapping[Group, int] = {}

    @property
    def verdict(self) -> str:
        """The verdict as published in ``Reconciliation``."""
        if any(found.cause not in _PASSING for found in self.confirmed.values()):
            return "inconsistent"
        return "inconclusive" if self.open or self.confirmed else "consistent"

    def checked(self, *, same_codes: bool) -> int:
        """Return how many balances were compared: wallets, or sums over wallets."""
        groups = {*self.agreed, *self.confirmed}
        return sum(same_codes or not wallet for _, wallet, _ in groups)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All differences, the confirmed first, in the order of their groups."""
        listed = [
            found[group]
            for found in (self.confirmed, self.open)
            for group in sorted(found)
            if found[group].residual or found[group].cause == "unreadable"
        ]
        return tuple(listed[:DIFFERENCES_MAX])


_WIDE = Context(prec=60)
"""Sums over wallets may be larger than any record holds."""

STALE_STREAM = "stale_stream"
"""Cause of every difference found while the stream did not tell."""

OTHER_WALLET = "other_wallet"
"""Cause where the sums over wallets agree, but not how they lie in the wallets."""

_PASSING = frozenset(
    {"pending_withdrawal", "unknown_asset", "unreadable", OTHER_WALLET}
)
"""Causes that are no proof against the stream, however often they are seen."""

_MOVING = frozenset({"missed_event", "pending_withdrawal"})
"""Causes that stand where a difference changes from answer to answer."""

STOOD_STILL = 3
"""After so many answers in a row a streamed figure that stood still is wrong, though
they differ from each other too: the balance moves, and the stream does not tell it."""

_UNDECIDED = frozenset({"torn_answer", "venue_lag", STALE_STREAM})
"""Causes of differences that say nothing yet."""


def compare(
    known: Mapping[str, Holding],
    answered: Answered,
    before: Found,
    *,
    same_codes: bool = True,
    net_of_pending: bool = False,
    accepted: Collection[Group] = (),
) -> Found:
    """Return what is established once one more answer is compared.

    Args:
        known: key → holding as the stream told it, a settle time after the answer.
        answered: the answer.
        before: what the answers before have established.
        same_codes: see `Venue.same_codes`.
        net_of_pending: see `Venue.net_of_pending`.
        accepted: groups whose wallets the two sources are known to name differently.

    Returns:
        Groups that agreed once stay agreed: each was right at its time.
    """
    picture = answered.picture
    groups_of = _by_code if same_codes else _by_asset
    streamed = _streamed(known.values(), groups_of)
    observed = _observed(picture, groups_of)
    spared = _spared(known, picture, groups_of)
    unmapped = {
        group
        for row in picture.rows
        if row.pocket.venue_asset in picture.unmapped
        for group in groups_of(row.pocket)
    }
    agreed = set(before.agreed)
    undecided: dict[Group, Difference] = {}
    confirmed: dict[Group, Difference] = {}
    seen: dict[Group, int] = {}
    # Sums first: wallets are looked at where the sums agree.
    for group in sorted(streamed.keys() | observed.keys() | spared):
        within = not same_codes and group[1] != ""
        if within and (group in accepted or (group[0], "", group[2]) not in agreed):
            continue
        ours, theirs = streamed.get(group), observed.get(group)
        motion = "unreadable" if group in spared else _motion(ours, answered)
        differs = _amount(ours) != _amount(theirs)
        if motion is None and differs and _lags(ours, theirs, answered):
            motion = "venue_lag"
        if motion in _UNDECIDED and group in agreed:
            continue
        if motion is None and not differs:
            agreed.add(group)
            continue
        agreed.discard(group)
        still = _cause(ours, theirs, group in unmapped, net_of_pending)
        cause = motion or (OTHER_WALLET if within else still)
        found = _difference(group, ours, theirs, cause, same_codes=same_codes)
        last = before.confirmed.get(group) or before.open.get(group)
        settled = False
        if found.cause not in _UNDECIDED:
            stands = last is not None and last.streamed == found.streamed
            seen[group] = before.seen.get(group, 0) + 1 if stands else 1
            stood_still = seen[group] >= STOOD_STILL and found.cause in _MOVING
            settled = stood_still or _same(found, last)
        (confirmed if settled else undecided)[group] = found
    return Found(frozenset(agreed), undecided, confirmed, seen)


def blamed_on_silence(found: Found) -> Found:
    """Return what was found against a stream that does not tell: it proves nothing."""
    return Found(
        found.agreed,
        {
            group: difference
            if difference.cause == "unreadable"
            else msgspec.structs.replace(difference, cause=STALE_STREAM)
            for group, difference in {**found.open, **found.confirmed}.items()
        },
    )


GroupsOf = Callable[[Pocket], tuple[Group, ...]]


def _by_code(pocket: Pocket) -> tuple[Group, ...]:
    return ((pocket.subaccount, pocket.wallet_id, pocket.venue_asset),)


def _by_asset(pocket: Pocket) -> tuple[Group, ...]:
    subaccount, asset = pocket.subaccount, pocket.asset
    return (subaccount, "", asset), (subaccount, pocket.wallet, asset)


def _streamed(holdings: Collection[Holding], groups_of: GroupsOf) -> dict[Group, Sums]:
    sums: dict[Group, Sums] = {}
    for told in holdings:
        for group in groups_of(told.pocket):
            held = sums.get(group)
            one = Sums(told.balance, told.pocket, told.told_at, told.venue_time)
            sums[group] = _added(held, one) if held else one
    return sums


def _observed(picture: Picture, groups_of: GroupsOf) -> dict[Group, Sums]:
    sums: dict[Group, Sums] = {}
    for row in picture.rows:
        for group in groups_of(row.pocket):
            held = sums.get(group)
            one = Sums(row.balance, row.pocket, None, row.venue_time)
            sums[group] = _added(held, one) if held else one
    return sums


def _added(held: Sums, one: Sums) -> Sums:
    amount = _WIDE.add(held.amount, one.amount)
    told_at = _later(held.told_at, one.told_at)
    return Sums(amount, one.pocket, told_at, _later(held.venue_time, one.venue_time))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _spared(
    known: Mapping[str, Holding], picture: Picture, groups_of: GroupsOf
) -> set[Group]:
    """Return the groups of which the answer tells nothing that can be read."""
    if picture.spared is not None and not picture.spared:
        return set()
    return {
        group
        for holding in known.values()
        if is_spared(holding.pocket, picture.spared)
        for group in groups_of(holding.pocket)
    }


def _amount(sums: Sums | None) -> Decimal:
    return sums.amount if sums else ZERO


def _motion(ours: Sums | None, answered: Answered) -> str | None:
    """Return why a group was not at rest, or None if it was."""
    told_at = ours.told_at if ours else None
    if told_at is None or told_at < answered.requested_at - BEFORE:
        return None
    inside = answered.requested_at <= told_at <= answered.answered_at
    return "torn_answer" if inside and answered.calls > 1 else "venue_lag"


def _lags(ours: Sums | None, theirs: Sums | None, answered: Answered) -> bool:
    """Whether a venue dates what it answers before what the stream told.

    What is not listed has no date: it may be of later as well, and nothing any more.
    """
    if ours is None or ours.told_at is None or ours.venue_time is None:
        return False
    if theirs is None or theirs.venue_time is None:
        return False
    told = min(ours.venue_time, ours.told_at)  # whatever a venue's clock says
    past = answered.requested_at - ours.told_at
    return theirs.venue_time < told - DATES_APART and past < LAG_MAX


def _cause(
    ours: Sums | None,
    theirs: Sums | None,
    unmapped: bool,
    net_of_pending: bool,
) -> str:
    if unmapped:
        return "unknown_asset"
    if net_of_pending and _amount(theirs) < _amount(ours):
        return "pending_withdrawal"
    return "missed_event"


def _difference(
    group: Group,
    ours: Sums | None,
    theirs: Sums | None,
    cause: str,
    *,
    same_codes: bool,
) -> Difference:
    pocket = next(sums.pocket for sums in (ours, theirs) if sums)
    streamed = ours.amount if ours else None
    observed = theirs.amount if theirs else None
    try:
        residual = subtract(_amount(theirs), _amount(ours))
        for amount in (streamed, observed):
            exact(amount or ZERO)
    except AmountUnfitError:
        streamed = observed = None
        residual, cause = ZERO, "unreadable"
    return Difference(
        subaccount=pocket.subaccount,
        wallet=pocket.wallet if same_codes else group[1],
        wallet_id=pocket.wallet_id if same_codes else "",
        asset=pocket.asset,
        streamed=streamed,
        observed=observed,
        residual=residual,
        cause=cause,
    )


def _same(found: Difference, last: Difference | None) -> bool:
    """Whether the answer before showed the same difference."""
    return (
        last is not None
        and last.residual == found.residual
        and last.cause not in _UNDECIDED
    )
