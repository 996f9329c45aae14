"""Every venue: one folder of pure code and one row here."""

from collections.abc import Mapping

from balance_connector.venue import Venue
from balance_connector.venues.bitfinex import BITFINEX
from balance_connector.venues.kraken import KRAKEN
from balance_connector.venues.zerohash import NDAX, ZEROHASH

VENUES: Mapping[str, Venue] = {
    BITFINEX.name: BITFINEX,
    KRAKEN.name: KRAKEN,
    NDAX.name: NDAX,
    ZEROHASH.name: ZEROHASH,
}
"""Name → venue; the names are those of ``balancebus connector VENUE``."""
