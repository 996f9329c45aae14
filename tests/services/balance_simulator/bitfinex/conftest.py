"""A venue on a clock that tests set, and clients written from the pages alone."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from balance_simulator.bitfinex.settings import BitfinexSettings
from balance_simulator.bitfinex.venue import BitfinexVenue
from balance_simulator.calls import Call

START_US = 1_577_836_800_000_000


def read(text):
    """Read JSON with every number as a decimal."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def sign(secret, text):
    """Sign as the page "Authenticated Channels" says."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha384).hexdigest()


@dataclass(eq=False)
class Ear:
    """The venue's end of a connection that goes nowhere."""

    texts: list = field(default_factory=list)
    ended: tuple = ()
    sent: int = 0
    queued: int = 0
    silent: bool = False
    last_sent_us: int = 0
    cut_off: bool = False

    def send(self, text):
        """Keep what is told."""
        self.texts.append(text)

    def close(self, code, reason):
        """Keep how it ended."""
        self.ended = (code, reason)

    def heard(self):
        """Return everything told since the last time, read."""
        texts, self.texts = self.texts, []
        return [read(text) for text in texts]


class Desk:
    """One venue, its clock and everybody who talks to it."""

    def __init__(self, **settings):
        self.now_us = START_US
        self.nonce = START_US
        self.venue = BitfinexVenue(
            BitfinexSettings(**settings), clock=lambda: self.now_us
        )
        self.state = self.venue.state

    def wait(self, seconds):
        """Let time pass, and everything that is due be said."""
        self.now_us += int(seconds * 1_000_000)
        self.venue.connections.tick()

    def join(self):
        """Connect, and forget the first frame."""
        ear = Ear()
        self.venue.connections.join(ear)
        ear.heard()
        return ear

    def say(self, ear, message):
        """Say something and return the answers, read."""
        self.venue.connections.heard(ear, json.dumps(message))
        return ear.heard()

    def auth(self, key=None, secret=None, nonce=None, **members):
        """Return an event that logs in."""
        self.nonce += 1
        nonce = self.nonce if nonce is None else nonce
        payload = f"AUTH{nonce}"
        return {
            "event": "auth",
            "apiKey": key or self.venue.settings.api_key,
            "authSig": sign(secret or self.venue.settings.api_secret, payload),
            "authNonce": nonce,
            "authPayload": payload,
            **members,
        }

    def log_in(self, flags=98_304, **members):
        """Connect, ask for the flags, log in; return the ear and what was told."""
        ear = self.join()
        if flags is not None:
            self.say(ear, {"event": "conf", "flags": flags})
        return ear, self.say(ear, self.auth(**members))

    def post(self, path, body=b"", key=None, nonce=None):
        """Call a private endpoint; return its answer."""
        self.nonce += 1
        nonce = str(self.nonce if nonce is None else nonce)
        signed = f"/api{path}{nonce}{body.decode()}"
        headers = {
            "bfx-nonce": nonce,
            "bfx-apikey": key or self.venue.settings.api_key,
            "bfx-signature": sign(self.venue.settings.api_secret, signed),
        }
        return self.venue.answer(Call("POST", path, headers, body), self.now_us)


@pytest.fixture
def desk():
    """Return a venue with the default settings, on a clock that tests set."""
    return Desk()


@pytest.fixture
def desk_with():
    """Return what makes a venue with given settings."""
    return Desk
