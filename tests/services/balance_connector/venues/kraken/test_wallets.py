"""Wallets in our words."""

import pytest

from balance_connector.venues.kraken.wallets import is_known, wallet_of


@pytest.mark.parametrize(
    ("kind", "wallet_id", "expected", "known"),
    [
        ("spot", "main", ("spot", "main"), True),
        ("earn", "liquid", ("earn", "liquid"), True),
        ("earn", "flex", ("earn", "flex"), True),
        ("earn", "brandnew", ("earn", "brandnew"), False),
        ("vault", "cold", ("unspecified", "vault:cold"), False),
        ("spot", "other", ("unspecified", "spot:other"), False),
        (None, "main", ("unspecified", ":main"), False),
        ("spot", None, ("spot", "main"), True),
    ],
)
def test_wallet(kind, wallet_id, expected, known):
    """Documented words are taken, unknown ones kept whole under unspecified."""
    wallet = wallet_of(kind, wallet_id)

    assert expected == wallet
    assert known is is_known(wallet)


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_words_name_no_wallet(nothing):
    """A row may name no wallet at all."""
    assert wallet_of(nothing, nothing) is None
