"""What all venues have in common as objects."""

from balance_simulator.kraken.venue import KrakenVenue
from balance_simulator.venue import newest


def test_addresses_and_statistics_are_told_without_being_started():
    """A venue that does not listen has its addresses, and counts nothing yet."""
    venue = KrakenVenue(clock=lambda: 0)
    assert ("ws://127.0.0.1:0/v2", "http://127.0.0.1:0") == (
        venue.ws_url,
        venue.rest_url,
    )
    stats = venue.statistics()
    assert (0, 0) == (stats["connections"], stats["connection_attempts_10min"])
    assert ["simulated-key"] == venue.api_keys()
    assert False is venue.traffic({})["running"]


def test_newest_lines_are_told_last():
    """Of lines given from the newest, the limit is taken and the order turned."""
    assert {"lines": [{"n": 2}, {"n": 3}]} == newest([3, 2, 1], 2, lambda n: {"n": n})
