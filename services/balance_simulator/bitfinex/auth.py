"""How the venue checks who asks: keys, signatures, nonces, permissions, limits.

Source: page "Authenticated Channels" (ws-auth): ``authSig`` is the lower-case hex of
HMAC-SHA384 over ``authPayload``, keyed by the secret's plain bytes; nonces grow and end
at 2**53 - 1; page "REST auth": ``bfx-signature`` is the same over ``/api``, the path,
the nonce and the exact body. One key has one nonce counter for both. Written from those
pages alone, so that it can prove a client wrong.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balance_simulator.exact import MICROSECONDS

SCOPE_NAMES = (
    "orders",
    "account",
    "funding",
    "history",
    "wallets",
    "withdraw",
    "positions",
    "ui_withdraw",
)
"""The names under ``caps``, in their order (ws-auth, success)."""

SCOPES = frozenset(SCOPE_NAMES)

NONCE_MAX = (1 << 53) - 1
GENERIC = 10001
BAD_PARAMETER = 10020
BAD_KEY = 10100
NONCE_SMALL = 10114
MAINTENANCE = 20060
_MINUTE_US = 60 * MICROSECONDS


class RefusedError(Exception):
    """The venue refuses.

    Attributes:
        code: its number for why, such as 10100.
        words: its text, which is no part of the protocol.
    """

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{code} {words}")
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key of the account.

    Attributes:
        key: the public part.
        secret: the private part, as plain text.
        readable: what it may read, in the words of ``caps``.
    """

    key: str
    secret: str
    readable: frozenset[str] = SCOPES

    def require(self, scope: str) -> None:
        """Refuse when the key may not read something."""
        if scope not in self.readable:
            raise RefusedError(GENERIC, f"action: unauthorized ({scope})")


def signature(secret: str, payload: bytes) -> str:
    """Return the signature that the venue expects for these exact bytes."""
    return hmac.new(secret.encode(), payload, hashlib.sha384).hexdigest()


@dataclass(slots=True)
class KeyRing:
    """All API keys, with the last nonce of each.

    Attributes:
        invalid_nonces: calls and connections refused for their nonce.
    """

    keys: dict[str, ApiKey] = field(default_factory=dict)
    last_nonces: dict[str, int] = field(default_factory=dict)
    invalid_nonces: int = 0

    def add(self, key: ApiKey) -> None:
        """Accept a key from now on, or change what it may do."""
        self.keys[key.key] = key

    def check_stream(self, event: Mapping[str, Any]) -> ApiKey:
        """Return the key of an event ``auth`` that is signed rightly.

        The signature is checked against whatever ``authPayload`` was sent, as the real
        venue does: the official Node client signs the nonce twice.

        Raises:
            RefusedError: in the order key, signature, nonce.
        """
        payload, given = str(event.get("authPayload")), str(event.get("authSig"))
        return self._check(
            str(event.get("apiKey")), payload.encode(), given, event.get("authNonce")
        )

    def check_rest(self, path: str, headers: Mapping[str, str], body: bytes) -> ApiKey:
        """Return the key of a call that is signed rightly over its exact bytes.

        Raises:
            RefusedError: in the order key, signature, nonce.
        """
        nonce = headers.get("bfx-nonce", "")
        payload = f"/api{path}{nonce}".encode() + body
        return self._check(
            headers.get("bfx-apikey", ""),
            payload,
            headers.get("bfx-signature", ""),
            nonce,
        )

    def _check(self, name: str, payload: bytes, given: str, nonce: object) -> ApiKey:
        key = self.keys.get(name)
        if key is None:
            raise RefusedError(BAD_KEY, "apikey: invalid")
        expected = signature(key.secret, payload)
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise RefusedError(BAD_KEY, "apikey: digest invalid")
        self._advance(name, nonce)
        return key

    def _advance(self, name: str, nonce: object) -> None:
        """Take a nonce, sent as number or text, that is greater than the last one."""
        text = str(nonce)
        number = int(text) if text.isdecimal() else -1
        if not self.last_nonces.get(name, 0) < number <= NONCE_MAX:
            self.refuse_nonce()
        self.last_nonces[name] = number

    def refuse_nonce(self) -> None:
        """Count a nonce that was not taken, and refuse it."""
        self.invalid_nonces += 1
        raise RefusedError(NONCE_SMALL, "nonce: small")


@dataclass(slots=True)
class MinuteLimit:
    """Calls of one endpoint within a minute; offenders are blocked for a while.

    Attributes:
        most: calls in any 60 seconds.
        blocked_us: for how long an offender is blocked, in microseconds.
        peak: most calls that any minute saw, refused ones included.
        refused: calls refused.
    """

    most: int
    blocked_us: int
    peak: int = 0
    refused: int = 0
    _times: deque[int] = field(default_factory=deque)
    _blocked_until_us: int = 0

    def take(self, now_us: int) -> bool:
        """Count a call; tell whether it is within the limit."""
        while self._times and now_us - self._times[0] >= _MINUTE_US:
            self._times.popleft()
        self._times.append(now_us)
        self.peak = max(self.peak, len(self._times))
        if now_us < self._blocked_until_us:
            self.refused += 1
            return False
        if len(self._times) > self.most:
            self._blocked_until_us = now_us + self.blocked_us
            self.refused += 1
            return False
        return True
