"""Kraken's wallets in our words (docs, WebSocket v2 "Balances": wallet ids)."""

from functools import lru_cache
from typing import NamedTuple

KNOWN_IDS = frozenset(
    {"main", "flex", "bonded", "flexible", "liquid", "locked", "closed"}
)


class Wallet(NamedTuple):
    """A wallet: our word for its kind, the venue's word for itself."""

    wallet: str
    wallet_id: str


UNNAMED = Wallet("unspecified", "")
"""Where a picture tells only the total of an asset."""


@lru_cache(1024)
def wallet_of(kind: str | None, wallet_id: str | None) -> Wallet | None:
    """Return the wallet that a row names, or None where it names none.

    Earn wallets keep any id. Of spot only ``main`` is known; words that we do not know
    make an unspecified wallet under both of its words.
    """
    if not kind and not wallet_id:
        return None
    if kind == "earn":
        return Wallet("earn", wallet_id or "")
    if kind == "spot" and wallet_id in {"main", None, ""}:
        return Wallet("spot", "main")
    return Wallet("unspecified", f"{kind or ''}:{wallet_id or ''}")


def is_known(wallet: Wallet) -> bool:
    """Whether kind and id are words of the documentation."""
    return wallet.wallet != "unspecified" and wallet.wallet_id in KNOWN_IDS
