"""What Bitfinex's errors mean (pages ws-general, ws-auth "Error codes", rest-auth).

The venue says that its texts are no part of the protocol, so errors are told apart by
their codes, sent as numbers or as texts. Two codes need their texts: 10001 is what a
key without permission gets from REST, and what other faults get too; 10100 is what a
wrong key or digest gets, and with ``auth: …`` a login that failed for some other reason
(it is seen where nothing was wrong with the key: it is tried again, a few times).
"""

import re

import msgspec

from balance_connector.rows import UNREADABLE
from balance_connector.venue import Response
from balance_connector.venues.bitfinex.wire import (
    code_of,
    read_value,
    words_of,
)
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable

UNKNOWN_EVENT = 10000
GENERIC = 10001
BAD_PARAMETER = 10020
AUTH_FAILED = 10100
NONCE_SMALL = 10114
RATE_LIMIT = 11010
RESTART = 20051
MAINTENANCE = 20060
MAINTENANCE_OVER = 20061

OF_THE_SERVER = frozenset({RESTART, MAINTENANCE, MAINTENANCE_OVER})
"""Codes that tell of the server, as info events or as errors."""

_NONCE_S = 10.0
_THROTTLE_S = 60.0
_TOO_MANY_REQUESTS = 429
_RATE_LIMIT_TEXT = "ERR_RATE_LIMIT"
_PERMISSION_TEXT = re.compile(
    r"permission|unauthori[sz]ed|forbidden|not allowed|action: disabled", re.IGNORECASE
)
_LOGIN_TEXT = "auth:"
_LOGIN_S = 5.0


def meaning(
    code: int | None, text: str, permission: str
) -> VenueRefused | VenueUnavailable:
    """Return what an error demands of us.

    Args:
        code: the venue's number; None if it sent none.
        text: the venue's words.
        permission: the key's permission that the call needs, named in the error.

    Returns:
        `VenueRefused` where no retry helps, else `VenueUnavailable` with the time to
        wait. An unknown code is the latter: retried with back-off.
    """
    said = f"Bitfinex: {text}" if code is None else f"Bitfinex: {code} {text}"
    if code == AUTH_FAILED and text.startswith(_LOGIN_TEXT):
        return VenueUnavailable(said, retry_after_s=_LOGIN_S, credentials=True)
    if code == AUTH_FAILED:
        return VenueRefused(f"{said}: the API key or its secret is not accepted")
    if code in {UNKNOWN_EVENT, BAD_PARAMETER}:
        return VenueRefused(said)
    if code == GENERIC and _PERMISSION_TEXT.search(text):
        return lacking(permission, said)
    if code == NONCE_SMALL:
        return VenueUnavailable(
            f"{said}: is the API key used by another process?",
            retry_after_s=_NONCE_S,
            fresh_nonce=True,
        )
    if code == RATE_LIMIT or _RATE_LIMIT_TEXT in text:
        return VenueUnavailable(said, retry_after_s=_THROTTLE_S)
    return VenueUnavailable(said, maintenance=code == MAINTENANCE)


def lacking(permission: str, said: str = "Bitfinex") -> VenueRefused:
    """Return the error of a key that lacks a permission."""
    return VenueRefused(f'{said}: the API key needs the permission "{permission}"')


def rows_of(response: Response, permission: str) -> list[msgspec.Raw]:
    """Return the elements of a REST answer, which is a list.

    Errors are ``["error",CODE,"text"]``, mostly with HTTP 500, or
    ``{"error":"ERR_RATE_LIMIT"}`` with HTTP 429: the body counts more than the status.

    Args:
        response: as received.
        permission: what the call needs, for the error's text.

    Raises:
        VenueRefused, VenueUnavailable: the answer is an error.
        FrameInvalid: an answer of status 200 is no list: never an empty success.
    """
    try:
        answer = read_value(response.body)
    except UNREADABLE as error:
        raise _unlike(response, str(error)) from error
    if isinstance(answer, dict):
        if "error" not in answer:
            raise _unlike(response, "an object where a list was due")
        raise _limited(response, words_of(answer["error"]), permission)
    if answer and bytes(answer[0]) == b'"error"':
        code = code_of(_value(answer[1])) if len(answer) > 1 else None
        text = " ".join(words_of(raw) for raw in answer[2:])
        raise _limited(response, text, permission, code)
    if not response.ok:
        raise _unlike(response, "no error text")
    return answer


def _value(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def _limited(
    response: Response, text: str, permission: str, code: int | None = None
) -> VenueRefused | VenueUnavailable:
    """Return the meaning of an error; status 429 is a limit, whatever the words."""
    if response.status == _TOO_MANY_REQUESTS:
        return VenueUnavailable(f"Bitfinex: {text}", retry_after_s=_THROTTLE_S)
    return meaning(code, text, permission)


def _unlike(response: Response, error: str) -> VenueUnavailable | FrameInvalid:
    """Return the error of a body that is no documented answer."""
    said = f"HTTP {response.status}: {response.body[:60]!r}"
    if response.status == _TOO_MANY_REQUESTS:
        return VenueUnavailable(f"Bitfinex: {said}", retry_after_s=_THROTTLE_S)
    if not response.ok:
        return VenueUnavailable(f"Bitfinex: {said}")
    return FrameInvalid("invalid_answer", f"{said}: {error}")
