"""What Kraken's error texts mean (docs, "Errors"; support article 360001491786).

A text is severity letter, category, ``:``, message and sometimes more: texts are
matched by their beginning. A list of warnings (``W…``) beside a result is a success.
"""

import re
from collections.abc import Iterable

import msgspec

from balance_connector.venue import Response
from balance_shared.errors import (
    BalanceBusError,
    FrameInvalid,
    PictureNeeded,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)

_LOCKOUT_S = 900.0
_THROTTLE_S = 15.0
_NONCE_S = 30.0

_REFUSED = (
    "EAPI:Invalid key",
    "EAPI:Invalid signature",
    "EAPI:Bad request",
    "EAPI:Feature disabled",
    "EAuth:Failed",
    "EGeneral:Unknown method",
    "EGeneral:Invalid arguments",
    "Private data and trading are unavailable on this endpoint",
)
_PERMISSION = "EGeneral:Permission denied"
_NONCE = "EAPI:Invalid nonce"
_LOCKOUT = "EGeneral:Temporary lockout"
_THROTTLES = (
    "EAPI:Rate limit exceeded",
    "EGeneral:Too many requests",
    "EAuth:Rate limit exceeded",
    "Exceeded msg rate",
)
_THROTTLED_UNTIL = re.compile(r"EService:\s?Throttled:?\s?(\d+)?")
_MAINTENANCE = ("EService:Unavailable", "EService:Busy")
_SESSION = ("ESession:Invalid session", "EAPI:Invalid token")


def meaning(text: str, permission: str, now_s: float) -> VenueError:
    """Return what an error text demands of us.

    Args:
        text: as the venue sent it.
        permission: the key's permission that the call needs, named in the error.
        now_s: seconds since 1970; a throttle says until when.

    Returns:
        `VenueRefused` where no retry helps, `PictureNeeded` where a new token and
        connection do, else `VenueUnavailable` with the time to wait. An unknown text is
        the latter: retried with back-off.
    """
    said = f"Kraken: {text}"
    if text.startswith(_PERMISSION):
        return VenueRefused(f'{said}: the API key needs the permission "{permission}"')
    if text.startswith(_REFUSED):
        return VenueRefused(said)
    if text.startswith(_SESSION):
        return PictureNeeded("session_expired", said)
    if text.startswith(_NONCE):
        return VenueUnavailable(
            f"{said}: is the API key used by another process?",
            retry_after_s=_NONCE_S,
            fresh_nonce=True,
        )
    if text.startswith(_LOCKOUT):
        return VenueUnavailable(said, retry_after_s=_LOCKOUT_S)
    if text.startswith(_THROTTLES):
        return VenueUnavailable(said, retry_after_s=_THROTTLE_S)
    if match := _THROTTLED_UNTIL.match(text):
        until_s = float(match[1]) if match[1] else now_s + _THROTTLE_S
        wait_s = min(max(0.0, until_s - now_s), _LOCKOUT_S)
        return VenueUnavailable(said, retry_after_s=wait_s)
    return VenueUnavailable(said, maintenance=text.startswith(_MAINTENANCE))


_GRAVEST_FIRST = (VenueRefused, VenueUnavailable, PictureNeeded)


def gravest(errors: Iterable[VenueError]) -> VenueError:
    """Return the error to act on, of one or more."""
    return min(
        errors,
        key=lambda error: (
            _GRAVEST_FIRST.index(type(error)),
            -getattr(error, "retry_after_s", 0.0),
        ),
    )


class _Envelope(msgspec.Struct):
    error: list[str] | str
    result: msgspec.Raw = msgspec.Raw(b"")


_decoder = msgspec.json.Decoder(_Envelope)


def result_of(response: Response, permission: str, now_s: float) -> msgspec.Raw:
    """Return ``result`` of a REST answer (docs, "REST API": errors come on HTTP 200).

    Args:
        response: as received.
        permission: what the call needs, for the error's text.
        now_s: seconds since 1970.

    Raises:
        VenueRefused, VenueUnavailable, PictureNeeded: the answer is an error.
        FrameInvalid: an answer of status 200 is not the documented envelope, or has no
            result: never an empty success.
    """
    try:
        envelope = _decoder.decode(response.body)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _unreadable(response, str(error)) from error
    texts = [envelope.error] if isinstance(envelope.error, str) else envelope.error
    errors = [text for text in texts if not text.startswith("W")]
    if errors:
        raise gravest(meaning(text, permission, now_s) for text in errors)
    if not response.ok:
        raise VenueUnavailable(f"Kraken: HTTP {response.status} without an error text")
    if bytes(envelope.result) in {b"", b"null"}:
        raise FrameInvalid("no_result", "the answer has neither error nor result")
    return envelope.result


def _unreadable(response: Response, error: str) -> BalanceBusError:
    start = response.body[:60]
    if not response.ok:
        return VenueUnavailable(f"Kraken: HTTP {response.status}: {start!r}")
    return FrameInvalid("not_json", f"HTTP 200 with {start!r}: {error}")
