"""The one table that knows venues."""

from decimal import Decimal

from balance_connector.venues import VENUES as CONNECTED
from balance_demo.venues import VENUES, kraken_books


def test_every_venue_has_a_connector():
    """A row of the demo names a venue that can be connected to."""
    assert {row.name for row in VENUES} <= set(CONNECTED)


def test_truth_of_kraken_is_read_exactly():
    """A sub-account has its id in the key, the master has none."""
    truth = {
        "masters": {"M": "M", "S": "M"},
        "balances": {
            "M": {"BTC": {"spot/main": "1.10", "earn/liquid": "0.5"}},
            "S": {"SIM18": {"spot/main": "123456789.123456789012345678"}},
        },
    }
    assert {
        "kraken|demo||spot/main|BTC": Decimal("1.10"),
        "kraken|demo||earn/liquid|BTC": Decimal("0.5"),
        "kraken|demo|S|spot/main|SIM18": Decimal("123456789.123456789012345678"),
    } == kraken_books("demo", truth)
