"""Signing of private REST calls (Kraken docs, "Spot REST Authentication")."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from balance_connector.secrets import decoded
from balance_connector.venue import Credentials, Request


def signature(secret: str, path: str, nonce: int, body: bytes) -> str:
    """Return the ``API-Sign`` header.

    Args:
        secret: private key as the venue shows it (base64).
        path: from ``/0/private/``, without the host.
        nonce: the nonce that the body carries.
        body: exact bytes that will be sent.

    Returns:
        base64 of HMAC-SHA512(secret, path + SHA256(nonce + body)).

    Raises:
        SettingsError: the secret is not base64, so the venue would refuse it.
    """
    key = decoded(secret)
    digest = hashlib.sha256(str(nonce).encode() + body).digest()
    return base64.b64encode(hmac.digest(key, path.encode() + digest, "sha512")).decode()


def private_call(
    credentials: Credentials,
    endpoint: str,
    nonce: int,
    *,
    secret: bool = False,
    **fields: str,
) -> Request:
    """Return a signed call of ``/0/private/<endpoint>``.

    Args:
        credentials: the API key.
        endpoint: such as ``Balance``.
        nonce: greater than every nonce the key was used with.
        secret: the answer holds a credential.
        fields: further fields of the body.
    """
    path = f"/0/private/{endpoint}"
    body = urlencode({"nonce": str(nonce), **fields}).encode()
    headers = {
        "API-Key": credentials.key,
        "API-Sign": signature(credentials.secret, path, nonce, body),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Request("POST", path, endpoint, headers, body, secret)
