"""Books: exact balances by balance key, and where two of them differ. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

Books = dict[str, Decimal]
"""Balance key → balance in units of the asset, exact."""

_NOTHING = Decimal(0)


class Difference(NamedTuple):
    """One balance that is not what the venue says.

    Attributes:
        place: where the other figure stands, such as ``Kafka``.
        key: balance key.
        truth: the venue's figure, or None where it has no such balance.
        found: the figure that stands there, or None where there is none.
    """

    place: str
    key: str
    truth: Decimal | None
    found: Decimal | None


def differences(
    place: str, truth: Mapping[str, Decimal], found: Mapping[str, Decimal]
) -> list[Difference]:
    """Compare books with the truth, exactly.

    A balance that one side does not have counts as 0: venues leave empty wallets out,
    and we keep a wallet that is gone with 0.

    Args:
        place: where the books are kept, for people.
        truth: the venue's books.
        found: ours.

    Returns:
        What differs, sorted by key; empty if the books are equal.
    """
    return [
        Difference(place, key, truth.get(key), found.get(key))
        for key in sorted({*truth, *found})
        if truth.get(key, _NOTHING) != found.get(key, _NOTHING)
    ]


def plain(amount: Decimal) -> str:
    """Return every digit that counts, never an exponent: ``300.25``, ``0``."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
