"""The two rows of the table of venues: what tells them apart."""

from datetime import timedelta

import pytest
from accounts_feed import KEY, NOW, seed, told

from balance_connector.books import Account, Books
from balance_connector.venue import Response, Stretch
from balance_connector.venues import VENUES
from balance_shared.errors import VenueRefused


def test_rows():
    """One dialect: same code, other addresses."""
    zerohash, ndax = VENUES["zerohash"], VENUES["ndax"]

    assert ("wss://ws.zerohash.com", "https://api.zerohash.com") == (
        zerohash.ws_url,
        zerohash.rest_url,
    )
    assert (None, "https://api.ndax.in") == (ndax.ws_url, ndax.rest_url)
    assert zerohash.needs_passphrase
    assert ndax.needs_passphrase
    assert zerohash.options is ndax.options


@pytest.mark.parametrize(
    ("name", "given", "prefix"),
    [
        ("zerohash", None, "X-SCX-"),
        ("ndax", None, "X-NDAX-"),
        ("ndax", "X-OWN-", "X-OWN-"),
    ],
)
def test_header_prefix_is_the_rows_unless_set(name, given, prefix):
    """Polls and history use the prefix of their venue."""
    venue = VENUES[name]
    options = venue.options(rest_header_prefix=given)
    request = venue.poll(KEY, options).request(1, NOW)

    assert [
        f"{prefix}{x}" for x in ("API-KEY", "SIGNED", "TIMESTAMP", "PASSPHRASE")
    ] == [*request.headers]
    stretch = Stretch(NOW, NOW + timedelta(seconds=1))
    assert venue.history(KEY, options, stretch).request(1, NOW) is None


def test_errors_name_the_venue():
    """The text of an error says whose it is."""
    venue = VENUES["ndax"]
    step = venue.poll(KEY, venue.options()).receive(
        Response(403, b'{"error":true,"message":"Invalid signature"}'), NOW
    )

    assert isinstance(step.demand, VenueRefused)
    assert "NDAX: HTTP 403: Invalid signature" == str(step.demand)


def test_ndax_speaks_alike():
    """Its documented frames give the same events under its own name."""
    venue = VENUES["ndax"]
    books = Books(Account("ndax", "main"), "ws", 1, {})
    stream = venue.stream(KEY, venue.options(), books, frozenset())
    events = list(stream.receive(seed("ws_initial_balance", "ndax"), NOW).events)
    events += stream.receive(seed("ws_balance_updated", "ndax"), NOW).events

    assert [
        ("snapshot", "ABC123/XXX456/general", "available", "BTC", "1.00"),
        ("update", "ABC123/XXX456/general", "available", "BTC", "1.01"),
    ] == told(events)
    assert {"ndax"} == {event.venue for event in events}
