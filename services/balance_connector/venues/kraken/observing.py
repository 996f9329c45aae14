"""What rows of the wire become: observations and ledger lines."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from balance_connector.books import Observed, Pocket
from balance_connector.venues.kraken import wire
from balance_schemas.decimals import ZERO, add
from balance_schemas.records import Movement


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
