"""A venue with a clock that is set by hand, and a client written from the pages alone."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import pytest
from websockets.datastructures import Headers

from balance_simulator.calls import Call
from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.venue import NdaxVenue, ZeroHashVenue

NOW_S = 1_714_445_421


def sign(secret, timestamp, method, route, body):
    """Sign as "API authentication" says."""
    text = f"{timestamp}{method}{route}{body}".encode()
    digest = hmac.new(base64.b64decode(secret), text, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(eq=False)
class Peer:
    """A connection in memory that keeps what it is told."""

    told: list = field(default_factory=list)
    sent: int = 0
    queued: int = 0
    last_sent_us: int = 0
    silent: bool = False
    cut_off: bool = False

    def send(self, text):
        """Keep a message."""
        self.told.append(text)

    def close(self, code, reason):
        """Keep a goodbye."""
        self.told.append((code, reason))

    def abort(self):
        """Keep the end."""
        self.told.append((1006, ""))

    def silence(self, until_us, *, lose):
        """Keep silent."""
        self.silent = True

    def take(self):
        """Return what was told since the last time, messages read."""
        told = [json.loads(t) if isinstance(t, str) else t for t in self.told]
        self.told.clear()
        return told


class Desk:
    """One venue, its clock, and whoever talks to it.

    Args:
        settings: the venue's choices.
    """

    def __init__(self, settings):
        self.now_us = NOW_S * 1_000_000
        kind = NdaxVenue if isinstance(settings, NdaxSettings) else ZeroHashVenue
        self.venue = kind(settings, clock=lambda: self.now_us)
        self.settings = settings

    def message(self, kind, body=None, at_s=None, content=None, **members):
        """Return a signed message as text."""
        timestamp = str(self.now_us // 1_000_000 if at_s is None else at_s)
        message = {"messageType": kind}
        if body is not None:
            message["body"] = body
        signed = body if body is not None else {}
        if content is None:
            content = json.dumps(signed, separators=(",", ":"), ensure_ascii=False)
        credentials = {
            "key": self.settings.api_key,
            "passphrase": self.settings.api_passphrase,
            "timestamp": timestamp,
            "signature": sign(
                self.settings.api_secret, timestamp, "POST", "/", content
            ),
        }
        return json.dumps(message | credentials | members)

    def connect(self):
        """Open a connection."""
        peer = Peer()
        self.venue.connections.join(peer)
        return peer

    def say(self, peer, text):
        """Send one text and return what was told since."""
        self.venue.connections.heard(peer, text)
        return peer.take()

    def subscribe(self, multi_chain=True, peer=None, **narrowed):
        """Subscribe and return the connection and the rows of the picture."""
        peer = peer or self.connect()
        body = {"filter": narrowed} if narrowed else {}
        text = self.message("subscribe", body, useMultiChainAssetFormat=multi_chain)
        (picture,) = self.say(peer, text)
        assert picture["messageType"] == "initial-balance"
        return peer, picture["body"]

    def operate(self, operation, **arguments):
        """Run one operation."""
        return self.venue.operate(operation, arguments)

    def get(self, target, at_s=None, method="GET", **headers):
        """Call REST; return the whole answer."""
        prefix = self.settings.header_prefix
        timestamp = str(self.now_us // 1_000_000 if at_s is None else at_s)
        given = {
            f"{prefix}API-KEY": self.settings.api_key,
            f"{prefix}PASSPHRASE": self.settings.api_passphrase,
            f"{prefix}TIMESTAMP": timestamp,
            f"{prefix}SIGNED": sign(
                self.settings.api_secret, timestamp, method, target, "{}"
            ),
        }
        given |= {prefix + name: value for name, value in headers.items()}
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(method, parts.path, Headers(given), b"", query, target)
        return self.venue.answer(call, self.now_us)

    def read(self, target):
        """Call REST and return the answer's JSON."""
        return json.loads(self.get(target).text)

    def wait(self, seconds):
        """Let time pass, with a look at what is due."""
        self.now_us += int(seconds * 1_000_000)
        self.venue.connections.tick()


@pytest.fixture
def desk():
    """Return a maker of desks: Zero Hash with settings, or another dataclass of them."""

    def make(kind=ZeroHashSettings, **settings):
        return Desk(kind(**settings))

    return make
