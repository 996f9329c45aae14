"""Secrets of API keys, as the venues hand them out."""

import base64
import binascii

from balance_shared.errors import SettingsError


def decoded(secret: str) -> bytes:
    """Return the bytes of a secret that the venue shows as base64.

    Raises:
        SettingsError: it is not base64, so the venue would refuse what it signs; the
            secret is not shown.
    """
    try:
        return base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(
            "API_SECRET (or REST_API_SECRET) is not base64: copy it whole"
        ) from None
