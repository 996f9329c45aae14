"""How the venue checks who asks: keys, passphrases, times and signatures.

Source: "API authentication" (base64 of HMAC-SHA256, keyed by the decoded secret, over
timestamp, method, route and body; the body of a GET is ``{}`` and the query belongs to
the route), the NDAX page of the same name for messages (method ``POST``, route ``/``)
and the OpenAPI description (seconds, within 60 s). Written from those pages alone, so
that it can prove a client wrong.
"""

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balance_simulator.exact import MICROSECONDS
from balance_simulator.zerohash.settings import ZeroHashSettings

CREDENTIALS = ("key", "passphrase", "timestamp", "signature")
_LEFT_OUT = {"message": ("signature",), "unsigned": CREDENTIALS}
NOTHING = "{}"


class RefusedError(Exception):
    """The venue refuses, with an HTTP status and its words for why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key.

    Attributes:
        key: the public part.
        secret: the private part, base64.
        passphrase: chosen when the key was made.
        owner: code of the platform whose accounts it opens.
    """

    key: str
    secret: str
    passphrase: str
    owner: str


@dataclass(slots=True)
class RateLimit:
    """Calls of one key within a moving window.

    Attributes:
        most: calls that fit into the window.
        window_us: its length in microseconds.
        peak: the most calls that a window has seen, refused ones included.
        refused: calls refused.
    """

    most: int
    window_us: int
    peak: int = 0
    refused: int = 0
    _calls: deque[int] = field(default_factory=deque)

    def level(self, now_us: int) -> int:
        """Return the calls within the window that ends now."""
        while self._calls and self._calls[0] <= now_us - self.window_us:
            self._calls.popleft()
        return len(self._calls)

    def charge(self, now_us: int) -> None:
        """Count one call, or refuse it; refused calls count, too."""
        level = self.level(now_us)
        self._calls.append(now_us)
        self.peak = max(self.peak, level + 1)
        if level >= self.most:
            self.refused += 1
            raise RefusedError(429, "Too Many Requests")


def compact(value: object) -> str:
    """Return JSON as JavaScript writes it: no spaces, members as sent, no escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def signature(secret: str, timestamp: str, method: str, route: str, body: str) -> str:
    """Return the signature that the venue expects."""
    text = f"{timestamp}{method}{route}{body}".encode()
    mac = hmac.new(base64.b64decode(secret), text, hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def signed_content(message: Mapping[str, Any], settings: ZeroHashSettings) -> str:
    """Return what the signature of a message covers behind the route.

    Which part that is, the pages do not say (see ``ZeroHashSettings.signed_content``).
    """
    left_out = _LEFT_OUT.get(settings.signed_content)
    if left_out:
        return compact({k: v for k, v in message.items() if k not in left_out})
    return compact(message["body"]) if "body" in message else settings.ping_content


class KeyRing:
    """All API keys, with the calls of each.

    Args:
        settings: the choices made.
    """

    def __init__(self, settings: ZeroHashSettings) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.rates: dict[str, RateLimit] = {}
        self._settings = settings

    def add(self, key: ApiKey) -> None:
        """Accept a key from now on."""
        window_us = int(self._settings.rate_window_s * MICROSECONDS)
        self.keys[key.key] = key
        self.rates[key.key] = RateLimit(self._settings.rate_limit, window_us)

    def check_message(self, message: Mapping[str, Any], now_us: int) -> ApiKey:
        """Return the key of a message of the stream that is signed rightly.

        Raises:
            RefusedError: in the order key, passphrase, timestamp, signature.
        """
        given = {
            name: value if isinstance(value := message.get(name), str) else ""
            for name in CREDENTIALS
        }
        content = signed_content(message, self._settings)
        return self._check(given, ("POST", "/", content), now_us)

    def check_call(
        self, headers: Mapping[str, str], method: str, route: str, now_us: int
    ) -> ApiKey:
        """Return the key of a GET that is signed rightly and within its limit.

        Args:
            headers: to be found in any case.
            method: in capitals.
            route: path and query exactly as sent.
            now_us: the venue's time.

        Raises:
            RefusedError: 403, as ``check_message``; 429 above the limit.
        """
        prefix = self._settings.header_prefix
        given = {
            "key": headers.get(f"{prefix}API-KEY", ""),
            "passphrase": headers.get(f"{prefix}PASSPHRASE", ""),
            "timestamp": headers.get(f"{prefix}TIMESTAMP", ""),
            "signature": headers.get(f"{prefix}SIGNED", ""),
        }
        key = self._check(given, (method, route, NOTHING), now_us)
        self.rates[key.key].charge(now_us)
        return key

    def _check(
        self, given: Mapping[str, str], request: tuple[str, str, str], now_us: int
    ) -> ApiKey:
        key = self.keys.get(given["key"])
        if key is None:
            raise RefusedError(403, "Invalid API key")
        if not hmac.compare_digest(
            key.passphrase.encode(), given["passphrase"].encode()
        ):
            raise RefusedError(403, "Invalid passphrase")
        timestamp = given["timestamp"]
        if not (timestamp.isascii() and timestamp.isdecimal()):
            raise RefusedError(403, "Invalid timestamp")
        away_us = abs(int(timestamp) * MICROSECONDS - now_us)
        if away_us > self._settings.time_window_s * MICROSECONDS + MICROSECONDS:
            raise RefusedError(403, "Timestamp is not within 60 seconds")
        expected = signature(key.secret, timestamp, *request)
        if not hmac.compare_digest(expected.encode(), given["signature"].encode()):
            raise RefusedError(403, "Invalid signature")
        return key
