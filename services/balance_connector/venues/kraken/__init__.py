"""Kraken spot: WebSocket v2 ``balances`` and REST ``Balance``.

A balance comes in by ``wire.py`` (what a frame says), ``stream.py`` or ``poll.py``
(what it means), ``assets.py`` and ``wallets.py`` (what its names are in our words);
``auth.py`` signs requests and ``refusals.py`` knows the venue's error texts.
"""

from balance_connector.venue import Venue
from balance_connector.venues.kraken.poll import KrakenPoll
from balance_connector.venues.kraken.stream import KrakenStream

KRAKEN = Venue(
    name="kraken",
    ws_url="wss://ws-auth.kraken.com/v2",
    rest_url="https://api.kraken.com",
    stream=KrakenStream,
    poll=KrakenPoll,
    nonces_per_s=1_000_000_000,
    silence_s_max=5.0,
    ping_interval_s=2.0,
)
