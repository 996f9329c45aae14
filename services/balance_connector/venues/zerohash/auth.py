"""Signing, of messages and of REST calls.

Both sign ``timestamp + METHOD + route + content`` with HMAC-SHA256, keyed by the
decoded secret. A message of the stream is signed as ``POST`` of ``/``; a GET signs
``{}`` as its content though it sends none. There are no nonces: the timestamp, in whole
seconds, has to be within 60 s of the venue's time. Source: Zero Hash docs "API
authentication", NDAX v3 docs "Private socket feed, Authentication".
"""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlencode

import msgspec

from balance_connector.secrets import decoded
from balance_connector.venue import Credentials, Request
from balance_connector.venues.zerohash.options import Dialect, ZeroHashOptions

_NOTHING = b"{}"


def signature(
    secret: str, timestamp: str, method: str, route: str, content: bytes
) -> str:
    """Return the signature of a message or call.

    Args:
        secret: as the venue shows it (base64).
        timestamp: whole seconds since 1970, as text.
        method: in capitals.
        route: from the first slash, with the query exactly as sent.
        content: compact JSON, as sent; non-ASCII characters stay as they are.

    Raises:
        SettingsError: the secret is not base64, so the venue would refuse it.
    """
    signed = f"{timestamp}{method}{route}".encode() + content
    return base64.b64encode(hmac.digest(decoded(secret), signed, "sha256")).decode()


def signed_message(
    credentials: Credentials,
    options: ZeroHashOptions,
    message: Mapping[str, object],
    now: datetime,
) -> bytes:
    """Return a message of the stream with the credentials that each must carry.

    A message without a ``body`` signs ``{}`` in its place.
    """
    timestamp = str(int(now.timestamp()))
    whole = {
        **message,
        "key": credentials.key,
        "passphrase": credentials.passphrase,
        "timestamp": timestamp,
    }
    content = whole if options.signed_content == "message" else message.get("body", {})
    whole["signature"] = signature(
        credentials.secret, timestamp, "POST", "/", msgspec.json.encode(content)
    )
    return msgspec.json.encode(whole)


def signed_get(
    credentials: Credentials,
    options: ZeroHashOptions,
    dialect: Dialect,
    path: str,
    query: Mapping[str, str],
    now: datetime,
) -> Request:
    """Return a signed GET; its source is the last word of the path."""
    route = f"{path}?{urlencode(query, quote_via=quote, safe='')}"
    timestamp = str(int(now.timestamp()))
    signed = signature(credentials.secret, timestamp, "GET", route, _NOTHING)
    prefix = options.rest_header_prefix or dialect.header_prefix
    headers = {
        f"{prefix}API-KEY": credentials.key,
        f"{prefix}SIGNED": signed,
        f"{prefix}TIMESTAMP": timestamp,
        f"{prefix}PASSPHRASE": credentials.passphrase,
    }
    return Request("GET", route, path.rpartition("/")[2], headers)
