"""How the venue checks who asks: keys, signatures, nonces, permissions, tokens.

Source: "Spot REST Authentication" (API-Sign is the base64 of HMAC-SHA512 over the URI
path and SHA-256 of nonce and body, keyed by the decoded secret), "Get WebSockets Token"
(900 s to use one; it lives on while a subscription made with it does) and "Spot REST
Rate Limits". Written from those pages alone, so that it can prove a client wrong.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from balance_simulator.exact import MICROSECONDS
from balance_simulator.kraken.identifiers import Identifiers

QUERY_FUNDS = "query-funds"
QUERY_LEDGER = "query-ledger"
CREATE_WS_TOKEN = "create-ws-token"  # noqa: S105 - the name of a permission
ALL_PERMISSIONS = frozenset({QUERY_FUNDS, QUERY_LEDGER, CREATE_WS_TOKEN})
TOKEN_LIFE_US = 900 * MICROSECONDS
_NONCE_END = 1 << 64


class RefusedError(Exception):
    """The venue refuses; the text is its word for why, such as EAPI:Invalid key."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key.

    Attributes:
        key: the public part, sent in the header API-Key.
        secret: the private part, base64.
        user: whose account it opens.
        permissions: what it may do, in the words of ``GetApiKeyInfo``.
    """

    key: str
    secret: str
    user: str
    permissions: frozenset[str] = ALL_PERMISSIONS

    def require(self, permission: str) -> None:
        """Refuse with the venue's word when the key lacks a permission."""
        if permission not in self.permissions:
            raise RefusedError("EGeneral:Permission denied")


@dataclass(slots=True)
class RateLimit:
    """A counter that rises with each call and falls with time.

    Attributes:
        maximum: calls are refused when the counter would pass it (Starter: 15).
        decay: what it falls by in a second (Starter: 0.33).
    """

    maximum: float
    decay: float
    counter: float = 0.0
    peak: float = 0.0
    _at_us: int = 0

    def level(self, now_us: int) -> float:
        """Return the counter at a time."""
        passed_s = max(0, now_us - self._at_us) / MICROSECONDS
        return max(0.0, self.counter - self.decay * passed_s)

    def charge(self, cost: int, now_us: int) -> None:
        """Count one call (Balance 1, Ledgers 2), or refuse it."""
        level = self.level(now_us) + cost
        if level > self.maximum:
            raise RefusedError("EAPI:Rate limit exceeded")
        self.counter, self._at_us = level, now_us
        self.peak = max(self.peak, level)


def signature(secret: str, path: str, nonce: str, body: bytes) -> str:
    """Return the API-Sign that the venue expects for these exact bytes."""
    digest = hashlib.sha256(nonce.encode() + body).digest()
    mac = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()


def read_parameters(content_type: str, body: bytes) -> dict[str, Any]:
    """Read a body as its Content-Type says: a form or JSON.

    Raises:
        RefusedError: when the body is neither.
    """
    try:
        if content_type.startswith("application/json"):
            parsed = json.loads(body, parse_float=Decimal)
            if not isinstance(parsed, dict):
                raise RefusedError("EGeneral:Invalid arguments")
            return parsed
        if content_type.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError:
        raise RefusedError("EGeneral:Invalid arguments") from None
    raise RefusedError("EGeneral:Invalid arguments")


@dataclass(slots=True)
class KeyRing:
    """All API keys with the last nonce and the rate counter of each.

    Attributes:
        rate_maximum, rate_decay: see ``RateLimit``.
        invalid_nonces: calls refused for their nonce.
    """

    rate_maximum: float
    rate_decay: float
    keys: dict[str, ApiKey] = field(default_factory=dict)
    rates: dict[str, RateLimit] = field(default_factory=dict)
    last_nonces: dict[str, int] = field(default_factory=dict)
    invalid_nonces: int = 0

    def add(self, key: ApiKey) -> None:
        """Accept a key from now on, or change what it may do."""
        self.keys[key.key] = key
        self.rates.setdefault(key.key, RateLimit(self.rate_maximum, self.rate_decay))

    def check(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        parameters: Mapping[str, Any],
    ) -> ApiKey:
        """Return the key of a call that is signed rightly and has a growing nonce.

        Raises:
            RefusedError: with the venue's word, in the order key, signature, nonce.
        """
        key = self.keys.get(headers.get("API-Key", ""))
        if key is None:
            raise RefusedError("EAPI:Invalid key")
        nonce = str(parameters.get("nonce", ""))
        expected = signature(key.secret, path, nonce, body)
        given = headers.get("API-Sign", "")
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise RefusedError("EAPI:Invalid signature")
        self._advance(key.key, nonce)
        return key

    def _advance(self, key: str, nonce: str) -> None:
        number = int(nonce) if nonce.isdecimal() else -1
        if not self.last_nonces.get(key, 0) < number < _NONCE_END:
            self.invalid_nonces += 1
            raise RefusedError("EAPI:Invalid nonce")
        self.last_nonces[key] = number


@dataclass(slots=True)
class _Token:
    key: ApiKey
    created_us: int
    subscriptions: int = 0


class TokenStore:
    """The WebSocket tokens given out and still good.

    Args:
        identifiers: the source of the tokens' text.
    """

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self._tokens: dict[str, _Token] = {}
        self.issued = 0

    def issue(self, key: ApiKey, now_us: int) -> str:
        """Give out a new token for a key."""
        token = self._identifiers.token()
        self._tokens[token] = _Token(key, now_us)
        self.issued += 1
        return token

    def check(self, token: object, now_us: int) -> ApiKey:
        """Return the key behind a token.

        Raises:
            RefusedError: when it is unknown, invalidated, or older than 15 minutes with
                no subscription that was made with it alive.
        """
        known = self._tokens.get(token) if isinstance(token, str) else None
        if known is None or (
            not known.subscriptions and now_us - known.created_us > TOKEN_LIFE_US
        ):
            raise RefusedError("ESession:Invalid session")
        return known.key

    def hold(self, token: str) -> None:
        """Note that a subscription lives on this token."""
        self._tokens[token].subscriptions += 1

    def release(self, token: str) -> None:
        """Note that a subscription made with this token has ended."""
        if token in self._tokens:
            self._tokens[token].subscriptions -= 1

    def invalidate(self) -> None:
        """Make every token given out so far worthless, as an upgrade does."""
        self._tokens.clear()
