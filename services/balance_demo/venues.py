"""The venues of the demo: one row a venue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from balance_demo.books import Books
from balance_schemas.keys import balance_key


@dataclass(frozen=True, slots=True)
class DemoVenue:
    """What the demo has to know of a venue.

    Attributes:
        name: as in `balancebus connector NAME` and `balancebus simulate NAME`.
        books: reads the truth of a stand-in (the answer of ``/control/truth``) as
            exact balances of the account with the given alias.
        settings: connector settings besides keys and addresses.
    """

    name: str
    books: Callable[[str, Mapping[str, Any]], Books]
    settings: Mapping[str, str] = field(default_factory=dict)


def kraken_books(account: str, truth: Mapping[str, Any]) -> Books:
    """Return the books of a stand-in Kraken.

    Args:
        account: alias of the account.
        truth: ``balances``: user → asset → ``type/id`` of the wallet → exact text;
            ``masters``: user → master, itself for the owner of the key.
    """
    return {
        balance_key(
            "kraken",
            account,
            "" if truth["masters"][user] == user else user,
            *wallet.split("/", 1),
            asset,
        ): Decimal(text)
        for user, assets in truth["balances"].items()
        for asset, wallets in assets.items()
        for wallet, text in wallets.items()
    }


VENUES = (DemoVenue("kraken", kraken_books),)
"""The venues that the demo runs, side by side."""
