"""The Zero Hash and NDAX v3 stand-in: the ``balances`` feed and the REST calls.

NDAX v3 (docs.ndax.in) is a white-label copy of Zero Hash: one dialect, two presets
(``venue.ZeroHashVenue``, ``venue.NdaxVenue``).

``assets``, ``ledger``, ``operations``, ``random_traffic``, ``signing``, ``amounts``,
``frames``, ``pictures``, ``stream`` and ``rest`` are pure: no sockets, no clock.
``venue`` puts them together. Facts are from the vendors' pages "Balances" (private
socket feed), "API authentication", "Balances websocket", "Error handling" and the
OpenAPI description 1.7.0; where those leave a question open, a setting chooses.
"""
