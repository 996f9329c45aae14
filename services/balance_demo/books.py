"""Books: exact balances by place, and where two of them differ. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from balance_schemas.records import BalanceEvent


class Place(NamedTuple):
    """Where one balance is, in the venue's own words.

    Attributes:
        venue: name of the venue.
        subaccount: whose it is below the account; empty for the account's own.
        wallet: the venue's word for the pocket.
        asset: the venue's code.
    """

    venue: str
    subaccount: str
    wallet: str
    asset: str

    def __str__(self) -> str:
        return " ".join(filter(None, self))


Books = dict[Place, Decimal]
"""Place → balance in units of the asset, exact."""

_NOTHING = Decimal(0)


def place_of(event: BalanceEvent) -> Place:
    """Return the place of an event's balance."""
    return Place(event.venue, event.subaccount, event.wallet_id, event.venue_asset)


class Difference(NamedTuple):
    """One balance that is not what the venue says.

    Attributes:
        store: what holds the other figure, such as ``Kafka``.
        place: which balance.
        truth: the venue's figure, or None where it has no such balance.
        found: the figure that stands there, or None where there is none.
    """

    store: str
    place: Place
    truth: Decimal | None
    found: Decimal | None


def differences(
    store: str, truth: Mapping[Place, Decimal], found: Mapping[Place, Decimal]
) -> list[Difference]:
    """Compare books with the truth, exactly.

    A balance that one side does not have counts as 0: venues leave empty wallets out,
    and we keep a wallet that is gone with 0.

    Args:
        store: where the books are kept, for people.
        truth: the venue's books.
        found: ours.

    Returns:
        What differs, sorted by place; empty if the books are equal.
    """
    return [
        Difference(store, place, truth.get(place), found.get(place))
        for place in sorted({*truth, *found})
        if truth.get(place, _NOTHING) != found.get(place, _NOTHING)
    ]


def plain(amount: Decimal) -> str:
    """Return every digit that counts, never an exponent: ``300.25``, ``0``."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
