"""Zero Hash and NDAX v3: one dialect, two venues (``balances`` and ``GET /accounts``).

An account comes in by ``wire.py`` (what a message or answer says), ``stream.py``,
``poll.py`` or ``history.py`` (what it means), ``accounts.py`` and ``observing.py``
(what it is in our words); ``runs.py`` knows which runs were told, ``auth.py`` signs and
``refusals.py`` knows the error texts.
The documentation of NDAX v3 (docs.ndax.in, not the exchange ndax.io) is a copy of Zero
Hash's: what tells the two apart is in their rows.
"""

from functools import partial

from balance_connector.venue import Venue
from balance_connector.venues.zerohash.history import ZeroHashHistory
from balance_connector.venues.zerohash.options import Dialect, ZeroHashOptions
from balance_connector.venues.zerohash.poll import ZeroHashPoll
from balance_connector.venues.zerohash.stream import ZeroHashStream


def _row(name: str, ws_url: str | None, rest_url: str, dialect: Dialect) -> Venue:
    return Venue(
        name=name,
        ws_url=ws_url,
        rest_url=rest_url,
        options=ZeroHashOptions,
        stream=partial(ZeroHashStream, dialect=dialect),
        poll=partial(ZeroHashPoll, dialect=dialect),
        history=partial(ZeroHashHistory, dialect=dialect),
        nonces_per_s=1_000_000,
        connect_interval_s=2.0,
        heartbeat_s=15.0,
        heartbeats_promised=False,  # the pages of the topic tell of no pong
        silence_s_max=37.0,
        picture_s_max=120.0,
        poll_interval_s=20.0,
        needs_passphrase=True,
    )


ZEROHASH = _row(
    "zerohash",
    "wss://ws.zerohash.com",
    "https://api.zerohash.com",
    Dialect("Zero Hash", "X-SCX-"),
)
NDAX = _row("ndax", None, "https://api.ndax.in", Dialect("NDAX", "X-NDAX-"))
