"""What rows of the wire become: observations, ledger lines, one error for the bad."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from balance_connector.books import Observed, Pocket
from balance_connector.venues.kraken import wire
from balance_schemas.decimals import ZERO, add
from balance_schemas.records import Movement
from balance_shared.errors import FrameInvalid

NAMELESS = "?"
"""Stands for a row of which not even the asset can be read."""

LISTED_MAX = 5
"""Most unreadable rows that a reason lists."""


def pictured(
    pocket: Pocket,
    balance: Decimal,
    attributes: dict[str, str],
    scope: str = "wallet",
) -> Observed:
    """Return one balance of a picture; `scope` is what the venue's figure covers."""
    return Observed(
        pocket, balance, reported=balance, scope=scope, attributes=attributes
    )


def total_of(wallets: Sequence[wire.WalletRow]) -> Decimal:
    """Return the sum over wallets; `AmountUnfitError` if it does not fit."""
    total = ZERO
    for wallet in wallets:
        total = add(total, wallet.balance)
    return total


def movement_of(
    row: wire.UpdateRow, delta: Decimal, occurred_at: datetime | None
) -> Movement:
    """Return the ledger line of an entry; `delta` is its net change of the wallet."""
    return Movement(
        movement_id=row.ledger_id or "",
        reference_id=row.ref_id,
        type=row.type or "",
        subtype=row.subtype,
        category=row.category,
        amount=row.amount,
        fee=row.fee,
        change=delta,
        occurred_at=occurred_at,
        occurred_at_text=row.timestamp,
    )


def time_of(text: str | None) -> datetime | None:
    """Return the venue's time in UTC, or None where it cannot be read."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None


def invalid_of(bad: list[wire.BadRow]) -> FrameInvalid | None:
    """Return the error of a frame's unreadable rows."""
    if not bad:
        return None
    names = frozenset(
        f"{row.user}|{row.asset}" if row.asset else NAMELESS for row in bad
    )
    listed = "; ".join(
        f"{(row.asset or 'a row without a name')[:40]}: {row.error[:200]}"
        for row in bad[:LISTED_MAX]
    )
    more = f" and {len(bad) - LISTED_MAX} more" if len(bad) > LISTED_MAX else ""
    return FrameInvalid("invalid_row", f"unreadable: {listed}{more}", names)
