"""Bitfinex: WebSocket v2 wallets and REST v2 ``wallets`` and ``ledgers``.

A balance comes in by ``wire.py`` (what a frame says), ``stream.py`` or ``poll.py``
(what it means), ``assets.py`` and ``wallets.py`` (what its names are in our words);
``numbers.py`` sees that no frame is missing, ``calc.py`` asks for what is available,
``auth.py`` signs requests and ``refusals.py`` knows the venue's error codes.
"""

from balance_connector.venue import Venue
from balance_connector.venues.bitfinex.history import BitfinexHistory
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.poll import BitfinexPoll
from balance_connector.venues.bitfinex.stream import BitfinexStream

BITFINEX = Venue(
    name="bitfinex",
    ws_url="wss://api.bitfinex.com/ws/2",
    rest_url="https://api.bitfinex.com",
    options=BitfinexOptions,
    stream=BitfinexStream,
    poll=BitfinexPoll,
    history=BitfinexHistory,
    nonces_per_s=1_000_000,
    heartbeat_s=15.0,
    silence_s_max=37.0,
    greeting_s_max=5.0,
    connect_interval_s=3.5,
    login_needed=False,
    updates_without_ids=True,
    history_interval_s=6.0,
)
