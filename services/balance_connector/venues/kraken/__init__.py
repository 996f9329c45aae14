"""Kraken spot: WebSocket v2 ``balances`` and REST ``Balance``.

A balance comes in by ``wire.py`` (what a frame says), ``stream.py``, ``poll.py`` or
``history.py`` (what it means), ``ledger.py`` (what it makes of each wallet),
``assets.py`` and ``wallets.py`` (what its names are in our words). ``names.py`` asks
for the names, ``auth.py`` signs requests and ``refusals.py`` knows the error texts.
"""

from balance_connector.venue import Venue
from balance_connector.venues.kraken.history import KrakenHistory
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.poll import KrakenPoll
from balance_connector.venues.kraken.stream import KrakenStream

KRAKEN = Venue(
    name="kraken",
    ws_url="wss://ws-auth.kraken.com/v2",
    rest_url="https://api.kraken.com",
    options=KrakenOptions,
    stream=KrakenStream,
    poll=KrakenPoll,
    history=KrakenHistory,
    nonces_per_s=1_000_000_000,
    heartbeat_s=1.0,
    silence_s_max=5.0,
    poll_interval_s=20.0,
    greeting_s_max=5.0,
    connect_interval_s=4.5,
    same_codes=False,
    net_of_pending=True,
    history_interval_s=8.0,
    comparable=lambda options: not options.users_all,
)
