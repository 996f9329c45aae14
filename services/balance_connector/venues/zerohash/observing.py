"""What accounts and runs become: observations with their movements."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import REFERENCE, Observed
from balance_connector.rows import MS_MIN, UNREADABLE, time_of
from balance_connector.venues.zerohash import wire
from balance_connector.venues.zerohash.accounts import Accounts, fact_id
from balance_schemas.decimals import ZERO, AmountUnfitError, add
from balance_schemas.records import Movement
from balance_shared.errors import FrameInvalid

_SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_TOLD = frozenset({"movement_id", "movement_type", "movement_timestamp", "change"})


def time_of_ms(text: str) -> datetime | None:
    """Return milliseconds since 1970 as a time, or None where they are none."""
    try:
        ms = int(text)
        # A sample of its webhooks has seconds, which would make a time of 1970.
        return _SINCE_1970 + timedelta(milliseconds=ms) if ms >= MS_MIN else None
    except (ValueError, OverflowError):
        return None


def venue_time_of(text: str) -> datetime | None:
    """Return a time as the stream writes it (RFC 3339) or REST does (milliseconds)."""
    return time_of_ms(text) if text.isdecimal() else time_of(text)


def pictured(accounts: Accounts, read: wire.Read) -> Observed:
    """Return one account of a picture or page."""
    pocket = accounts.pocket(read.key, read.reference)
    attributes = read.attributes
    if pocket.network:
        attributes["base_asset"] = accounts.code(pocket.venue_asset).base
    at = attributes.get("last_update")
    return Observed(
        pocket,
        read.balance,
        reported=read.balance,
        venue_time=time_of_ms(at) if at else None,
        attributes=attributes,
    )


def updated(accounts: Accounts, update: wire.Update, reference: str) -> Observed:
    """Return an account after a run: its balance is the venue's, never a sum.

    Args:
        accounts: of the venue.
        update: as read.
        reference: number of the account as told before; updates may leave it out.
    """
    read = update.read
    reference = read.reference or reference
    pocket = accounts.pocket(read.key, reference)
    attributes = read.attributes
    if reference:
        attributes[REFERENCE] = reference
    if pocket.network:
        attributes["base_asset"] = accounts.code(pocket.venue_asset).base
    at = _text(update.run_timestamp)
    if at:
        attributes["run_timestamp"] = at
    movements = _movements(update.movements)
    if movements is None:
        attributes["movements"] = _text(update.movements)
    return Observed(
        pocket,
        read.balance,
        delta=_sum(movements or ()),
        reported=read.balance,
        venue_id=fact_id(pocket, update.run_id) if update.run_id else None,
        venue_time=venue_time_of(at),
        movements=movements or (),
        attributes=attributes,
    )


def _movements(raw: msgspec.Raw) -> tuple[Movement, ...] | None:
    """Return the movements of a run; none that is told is dropped.

    Returns:
        None where the member is there and no list.
    """
    if bytes(raw) == b"null":
        return ()
    try:
        return tuple(_movement(row) for row in wire.read_rows(raw))
    except FrameInvalid:
        return None


def _movement(raw: msgspec.Raw) -> Movement:
    """Return a movement; what cannot be read of it is kept as text."""
    try:
        fields = wire.read_fields(raw)
    except UNREADABLE:
        return Movement(movement_id="", attributes={"movement": wire.text_or_json(raw)})
    attributes = {
        name: wire.text_or_json(value)
        for name, value in fields.items()
        if name not in _TOLD
    }
    change = None
    told = fields.get("change", msgspec.Raw(b"null"))
    try:
        change = amount_of(told)
    except UNREADABLE:
        attributes["change"] = wire.text_or_json(told)
    at = _text(fields["movement_timestamp"]) if "movement_timestamp" in fields else ""
    return Movement(
        movement_id=_named(fields, "movement_id"),
        type=_named(fields, "movement_type"),
        change=change,
        occurred_at=venue_time_of(at),
        occurred_at_text=at or None,
        attributes=attributes,
    )


def _sum(movements: tuple[Movement, ...]) -> Decimal | None:
    """Return the net change; None without movements, or if one does not tell its."""
    total = ZERO
    try:
        for movement in movements:
            if movement.change is None:
                return None
            total = add(total, movement.change)
    except AmountUnfitError:
        return None
    return total if movements else None


def _named(fields: dict[str, msgspec.Raw], name: str) -> str:
    return _text(fields[name]) if name in fields else ""


def _text(raw: msgspec.Raw) -> str:
    """Return a JSON value as text; null is ""."""
    return "" if bytes(raw) == b"null" else wire.text_or_json(raw)
