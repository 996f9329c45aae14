"""Signing of the stream and of private REST calls.

Both are HMAC-SHA384 in lower-case hex, keyed by the plain bytes of the secret. Nonces
grow and end at 2⁵³ - 1: microseconds since 1970 fit, nanoseconds do not. Source: pages
"Authenticated Channels" (ws-auth) and "Authenticated Endpoints" (rest-auth).
"""

import hmac

import msgspec

from balance_connector.venue import Credentials, Request


def signature(secret: str, payload: bytes) -> str:
    """Return the signature of these exact bytes."""
    return hmac.digest(secret.encode(), payload, "sha384").hex()


def auth_event(credentials: Credentials, nonce: int) -> bytes:
    """Return the event ``auth`` of a stream that tells wallets and nothing else.

    It never has ``dms``, by which the venue cancels all orders of the account when
    this connection ends.

    Args:
        credentials: the API key.
        nonce: greater than every nonce the key was used with, REST or stream.
    """
    payload = f"AUTH{nonce}"
    event = {
        "event": "auth",
        "apiKey": credentials.key,
        "authSig": signature(credentials.secret, payload.encode()),
        "authNonce": nonce,
        "authPayload": payload,
        "filter": ["wallet"],
    }
    return msgspec.json.encode(event)


def private_call(
    credentials: Credentials, endpoint: str, nonce: int, body: bytes = b"{}"
) -> Request:
    """Return a signed call of ``/v2/auth/r/<endpoint>``.

    What is signed has ``/api`` before the path; what is called has not.

    Args:
        credentials: the API key.
        endpoint: such as ``wallets`` or ``ledgers/hist``; its last word is the source.
        nonce: greater than every nonce the key was used with, REST or stream.
        body: exact bytes to sign and to send.
    """
    path = f"/v2/auth/r/{endpoint}"
    signed = f"/api{path}{nonce}".encode() + body
    headers = {
        "bfx-nonce": str(nonce),
        "bfx-apikey": credentials.key,
        "bfx-signature": signature(credentials.secret, signed),
        "Content-Type": "application/json",
    }
    return Request("POST", path, endpoint.rpartition("/")[2], headers, body)
