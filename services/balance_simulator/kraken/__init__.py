"""The Kraken spot stand-in: WebSocket v2 ``balances`` and the private REST calls.

``assets``, ``ledger``, ``operations``, ``random_traffic``, ``auth``, ``frames``,
``stream`` and ``rest`` are pure: no sockets, no clock. ``venue`` puts them together.
Facts are from Kraken's pages "Balances" (WebSocket v2), "Get Account Balance", "Get
Ledgers Info", "Get Asset Info" and "Spot REST Authentication"; where those leave a
question open, a setting chooses (``settings``).
"""
