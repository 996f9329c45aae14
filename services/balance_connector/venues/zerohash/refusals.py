"""What the venue's errors mean.

REST has another form of error body for each status; the stream's form of errors is not
documented at all. So only words that leave no doubt count as a refusal, and all else is
tried again. Source: Zero Hash docs "Error handling" (429: wait 10 s; a wrong address is
HTTP 403 or Cloudflare's error 1020), OpenAPI 1.7.0 (error bodies).
"""

import re
from typing import Any

import msgspec

from balance_connector.rows import UNREADABLE, decoded
from balance_connector.venue import Response
from balance_shared.errors import (
    FrameInvalid,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)

_THROTTLE_S = 10.0
_TEXT_CHARS = 300

_TIME = re.compile(r"timestamp|clock|expired", re.IGNORECASE)
_REFUSED = re.compile(
    r"\bapi.?keys?\b|\binvalid key\b|\bsignature\b|\bpassphrase\b|\bpermissions?\b"
    r"|\bunauthori[sz]ed\b|\bforbidden\b|\bnot (authori[sz]ed|permitted)\b"
    r"|\bip address\b|\ballow.?list|\bwhite.?list",
    re.IGNORECASE,
)
_THROTTLED = re.compile(r"too many requests|rate.?limit", re.IGNORECASE)
_MAINTENANCE = re.compile(r"maintenance", re.IGNORECASE)
_BLOCKED = re.compile(rb"error 1020|access denied", re.IGNORECASE)
_DENIED = re.compile(r"permission|permitted|authori[sz]ed|forbidden", re.IGNORECASE)
_PERMISSION = "the API key needs the permission to read accounts and balances"
_ALLOW_LIST = "is this machine's IP address on the venue's allow-list?"

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _CLOSED = 401, 403, 429, 503


def refuses(text: str) -> bool:
    """Whether a text says clearly that key, signature or permission are wrong."""
    return bool(_REFUSED.search(text)) and not _TIME.search(text)


def concerns_all(error: VenueError) -> bool:
    """Whether an error is of every request: of the key, its signature or the clock."""
    return isinstance(error, VenueRefused) or bool(_TIME.search(str(error)))


def meaning(name: str, text: str) -> VenueError:
    """Return what an error text demands of us.

    Args:
        name: of the venue.
        text: as the venue sent it.

    Returns:
        `VenueRefused` where the text says clearly that no retry helps, else
        `VenueUnavailable`: a text that we do not know is retried with back-off.
    """
    said = f"{name}: {text[:_TEXT_CHARS]}"
    if _TIME.search(text):
        return VenueUnavailable(f"{said}: is this machine's clock right?")
    if refuses(text):
        return _refused(said)
    wait_s = _THROTTLE_S if _THROTTLED.search(text) else 0.0
    maintenance = bool(_MAINTENANCE.search(text))
    return VenueUnavailable(said, retry_after_s=wait_s, maintenance=maintenance)


def _refused(said: str, question: str = "") -> VenueRefused:
    if not _DENIED.search(said):
        return VenueRefused(said)
    return VenueRefused(": ".join(filter(None, (said, _PERMISSION, question))))


class _Errors(msgspec.Struct):
    error: Any = None
    errors: Any = None
    message: msgspec.Raw = msgspec.Raw(b"")


_errors = msgspec.json.Decoder(_Errors)


def check(response: Response, name: str) -> None:
    """Return if a REST answer is no error.

    Args:
        response: as received.
        name: of the venue.

    Raises:
        VenueRefused, VenueUnavailable: it is one.
        FrameInvalid: an answer of status 2xx is no JSON object: never an empty success.
    """
    status = response.status
    try:
        body = decoded(_errors, response.body)
    except UNREADABLE as error:
        if response.ok:
            start = response.body[:60]
            raise FrameInvalid(
                "not_json", f"HTTP {status} with {start!r}: {error}"
            ) from error
        raise _page(response, name) from error
    if response.ok and not (body.error or body.errors):
        return
    text = f"HTTP {status}: {_text(body)}"
    if status == _TOO_MANY:
        raise VenueUnavailable(f"{name}: {text}", retry_after_s=_THROTTLE_S)
    if status == _CLOSED:
        raise VenueUnavailable(f"{name}: {text}", maintenance=True)
    if status in {_UNAUTHORIZED, _FORBIDDEN} and not _TIME.search(text):
        raise _refused(f"{name}: {text}", _ALLOW_LIST if status == _FORBIDDEN else "")
    raise meaning(name, text)


def text_in(value: Any) -> str:
    """Return what an ``error`` or ``errors`` member says."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(text_in(item) for item in value[:5])
    try:
        return msgspec.json.encode(value).decode()
    except (*UNREADABLE, TypeError):
        return repr(value)


def _text(body: _Errors) -> str:
    """Return the text of an error; with ``"error": true`` it is in ``message``."""
    value = body.errors or body.error
    if value in (None, True, False):
        value = bytes(body.message).decode(errors="replace").strip('"')
    return text_in(value) or "without an error text"


def _page(response: Response, name: str) -> VenueError:
    """Return the error of an answer that is no JSON: a page of the venue's front."""
    status = response.status
    text = f"{name}: HTTP {status}: {response.body[:60]!r}"
    if status == _TOO_MANY:
        return VenueUnavailable(text, retry_after_s=_THROTTLE_S)
    if status != _FORBIDDEN:
        return VenueUnavailable(text, maintenance=status == _CLOSED)
    text = f"{text}: {_ALLOW_LIST}"
    return (VenueRefused if _BLOCKED.search(response.body) else VenueUnavailable)(text)
