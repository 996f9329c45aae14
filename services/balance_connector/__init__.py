"""One connector service per venue account: private feeds in, balance events out.

``venue.py`` says what a venue is, ``venues/`` holds one folder of pure code for each,
``books.py`` makes events of what a venue says. ``stream.py`` and ``poll.py`` run the
two kinds of feed, ``rest.py`` and ``outbox.py`` are the ways to the venue and to the
bus, and ``service.py`` puts the parts together.
"""
