"""Every error code of the venue, and what it demands."""

import pytest

from balance_connector.venue import Response
from balance_connector.venues.bitfinex.refusals import meaning, rows_of
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable

PERMISSION = "wallets: read"


@pytest.mark.parametrize(
    ("code", "text", "kind", "wait_s"),
    [
        (10000, "event: unknown", VenueRefused, None),
        (10001, "action: unauthorized", VenueRefused, None),
        (10001, "apikey: permission invalid", VenueRefused, None),
        (10001, "ERR_UNK", VenueUnavailable, 0.0),
        (10020, "limit: invalid", VenueRefused, None),
        (10100, "apikey: invalid", VenueRefused, None),
        (10100, "apikey: digest invalid", VenueRefused, None),
        (10100, "new words", VenueRefused, None),
        (10100, "auth: invalid", VenueUnavailable, 5.0),
        (10114, "nonce: small", VenueUnavailable, 10.0),
        (10305, "limit of open channels", VenueUnavailable, 0.0),
        (11010, "ratelimit: error", VenueUnavailable, 60.0),
        (20060, "maintenance", VenueUnavailable, 0.0),
        (31337, "something new", VenueUnavailable, 0.0),
        (None, "ERR_RATE_LIMIT", VenueUnavailable, 60.0),
        (None, "no code", VenueUnavailable, 0.0),
    ],
)
def test_code_is_classified(code, text, kind, wait_s):
    """Each code has its class; an unknown one is retried with back-off."""
    error = meaning(code, text, PERMISSION)

    assert kind is type(error)
    assert text in str(error)
    assert wait_s == getattr(error, "retry_after_s", None)


def test_login_that_fails_may_be_the_credentials():
    """So it is with "auth: invalid" alone: other words tell whose fault it is."""
    said = (10100, "auth: invalid"), (10114, "nonce: small"), (31337, "new")

    errors = [meaning(code, text, PERMISSION) for code, text in said]

    assert [True, False, False] == [error.credentials for error in errors]


def test_permission_is_named():
    """Who has to act is told what is missing."""
    error = meaning(10001, "action: unauthorized", "history: read")

    assert 'needs the permission "history: read"' in str(error)


def test_nonce_asks_for_one_more_try():
    """A refused nonce is tried once more at once."""
    assert meaning(10114, "nonce: small", "").fresh_nonce


def test_maintenance_is_told_apart():
    """Maintenance has a code of its own."""
    assert meaning(20060, "maintenance", "").maintenance
    assert not meaning(10001, "ERR_UNK", "").maintenance


def rows(body: bytes, status: int = 200) -> list[bytes]:
    """Return the elements of an answer."""
    return [bytes(raw) for raw in rows_of(Response(status, body), PERMISSION)]


def test_list_is_an_answer():
    """An empty list is one too."""
    assert [b"[1,2]", b"[3]"] == rows(b"[ [1,2] , [3] ]")
    assert [] == rows(b"[]")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b'["error",10100,"apikey: invalid"]', VenueRefused),
        (500, b'["error","10100","apikey: invalid"]', VenueRefused),
        (200, b'["error",10114,"nonce: small"]', VenueUnavailable),
        (500, b'["error",20060,"maintenance"]', VenueUnavailable),
        (500, b'["error"]', VenueUnavailable),
        (500, rb'["error","\ud800","\ud800"]', VenueUnavailable),
        (500, b'["error",1,"\xff"]', VenueUnavailable),
        (200, b'{"error":"\xff"}', VenueUnavailable),
        (200, rb'{"error":"\ud800"}', VenueUnavailable),
        (500, b'["error",null,null]', VenueUnavailable),
        (200, b'{"error":"ERR_RATE_LIMIT"}', VenueUnavailable),
        (429, b'["error",10100,"x"]', VenueUnavailable),
        (429, b"<html>", VenueUnavailable),
        (500, b"[]", VenueUnavailable),
        (503, b"<html>down</html>", VenueUnavailable),
        (403, b"", VenueUnavailable),
        (302, b"[]", VenueUnavailable),
        (200, b"<html>hello</html>", FrameInvalid),
        (200, b"", FrameInvalid),
        (200, b"{}", FrameInvalid),
        (200, b"null", FrameInvalid),
        (200, b"5", FrameInvalid),
        (200, b'[["exchange","BTC",1', FrameInvalid),
        (200, b"[" * 100_000, FrameInvalid),
        (200, b"\xff", FrameInvalid),
    ],
)
def test_answer_that_is_no_list_is_never_an_empty_success(status, body, kind):
    """Errors are told by the body first, by the status where it says nothing."""
    with pytest.raises(kind):
        rows(body, status)


@pytest.mark.parametrize(
    ("status", "body"), [(429, b"<html>"), (200, b'{"error":"ERR_RATE_LIMIT"}')]
)
def test_limit_waits_a_minute(status, body):
    """Offenders are blocked for 60 seconds."""
    with pytest.raises(VenueUnavailable) as raised:
        rows(body, status)

    assert 60 == raised.value.retry_after_s
