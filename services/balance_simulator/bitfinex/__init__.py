"""The Bitfinex stand-in: WebSocket ``/ws/2`` account channel and the REST calls.

All modules but ``venue`` are pure: no sockets, no clock. Facts are from the pages
"ws-general", "ws-auth", "ws-auth-input-calc", "Wallets" and the REST reference, and
from frames that others have captured; where those leave a question open, a setting
chooses (``settings``).
"""
