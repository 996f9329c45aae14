"""Bitfinex's wallets in our words (page "Wallets": exchange, margin, funding).

The first version of the API and its stream said ``trading`` for margin and ``deposit``
for funding; both still occur in clients. They name the same pocket, so they get the
same words. Collateral of derivatives lies in the margin wallet under codes of its own
(``USTF0``): it is kept apart, or it would be added to the margin wallet's ``UST``.
"""

from typing import NamedTuple

_WORDS = {
    "exchange": ("spot", "exchange"),
    "margin": ("margin", "margin"),
    "funding": ("funding", "funding"),
    "trading": ("margin", "margin"),
    "deposit": ("funding", "funding"),
}


class Wallet(NamedTuple):
    """A wallet: our word for its kind, the venue's word for itself."""

    wallet: str
    wallet_id: str


def wallet_of(word: str, *, derivative: bool = False) -> Wallet:
    """Return the wallet of the venue's word, of collateral if `derivative`."""
    if word not in _WORDS:
        return Wallet("unspecified", word)
    kind, wallet_id = _WORDS[word]
    return Wallet("derivatives" if derivative else kind, wallet_id)


def is_known(word: str) -> bool:
    """Whether the word is one of the venue's."""
    return word in _WORDS
