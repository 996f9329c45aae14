"""Globs pick balances by every part of their names."""

import pytest

from balance_alerting.rules import Match
from balance_alerting.selectors import Selector, Subject, matcher

WALLET = Subject("kraken", "main", "u1", "spot", "main", "BTC")


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ({}, True),
        ({"venue": "kraken", "asset": "B*"}, True),
        ({"asset": ["ETH", "[AB]TC"]}, True),
        ({"asset": "btc"}, False),
        ({"asset": "BT"}, False),
        ({"wallet": "spot"}, True),
        ({"wallet": "spot/main"}, True),
        ({"wallet": "spot/*"}, True),
        ({"wallet": "earn/*"}, False),
        ({"wallet": ["earn/*", "spot"]}, True),
        ({"subaccount": "u?"}, True),
        ({"account": "[!m]*"}, False),
        ({"venue": "bitfinex"}, False),
    ],
)
def test_match(match, taken):
    """Every part has to match."""
    assert taken == Selector(Match(**match)).takes(WALLET)


def test_nothing_listed_takes_nothing():
    """An empty list is not all."""
    assert not matcher([])("BTC")


def test_subjects_have_the_keys_of_the_bus():
    """A balance has its balance key, an account its own."""
    assert "kraken|main|u1|spot/main|BTC" == WALLET.key
    assert "kraken|main" == Subject("kraken", "main").key
