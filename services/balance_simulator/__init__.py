"""Stand-in venues: they speak as the real ones do, hold a true ledger and misbehave.

Owns everything that a venue does from its own side of the wire. It knows nothing of the
connectors, and imports nothing of theirs: a shared mistake would prove itself right.

What is common to all venues lies here; one folder for each venue holds what that venue
says. A venue's pure parts are a session for each connection and an answer to each REST
call (``sessions``, ``calls``); ``server`` carries them over sockets and ``loopback`` in
memory, ``connections`` joins the two. ``venue`` is the whole as one object.
"""
