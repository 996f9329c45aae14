"""Every error text of the venue, and what it demands."""

import pytest

from balance_connector.venue import Response
from balance_connector.venues.kraken.refusals import meaning, result_of
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    VenueRefused,
    VenueUnavailable,
)

NOW_S = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("EAPI:Invalid key", VenueRefused),
        ("EAPI:Invalid signature", VenueRefused),
        ("EGeneral:Permission denied", VenueRefused),
        ("EAuth:Failed", VenueRefused),
        ("EAPI:Bad request", VenueRefused),
        ("EAPI:Feature disabled", VenueRefused),
        ("EGeneral:Unknown method", VenueRefused),
        ("EGeneral:Invalid arguments:nonce", VenueRefused),
        ("EAPI:Invalid nonce", VenueUnavailable),
        ("EGeneral:Temporary lockout", VenueUnavailable),
        ("EAPI:Rate limit exceeded", VenueUnavailable),
        ("EGeneral:Too many requests", VenueUnavailable),
        ("EAuth:Rate limit exceeded", VenueUnavailable),
        ("EService: Throttled: 1700000005", VenueUnavailable),
        ("EService:Unavailable", VenueUnavailable),
        ("EService:Busy", VenueUnavailable),
        ("EGeneral:Internal error", VenueUnavailable),
        ("EService:Market in cancel_only mode", VenueUnavailable),
        ("ESession:Invalid session", PictureNeeded),
        ("EAPI:Invalid token", PictureNeeded),
        ("ESomething:New and unknown", VenueUnavailable),
    ],
)
def test_text_is_classified(text, kind):
    """Each text of the venue's list has its class; an unknown one is retried."""
    error = meaning(text, "Query Funds", NOW_S)

    assert kind is type(error)
    assert text in str(error)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("EGeneral:Temporary lockout", 900.0),
        ("EAPI:Rate limit exceeded", 15.0),
        ("EService: Throttled: 1700000005", 5.0),
        ("EService:Throttled: 1700000005", 5.0),
        ("EService: Throttled: 1600000000", 0.0),
        ("EService: Throttled: 9999999999", 900.0),
        ("EService: Throttled", 15.0),
        ("EService:Unavailable", 0.0),
    ],
)
def test_wait_is_what_the_venue_asks_for(text, wait_s):
    """A throttle waits until its time, a lockout long, an outage by back-off."""
    assert wait_s == meaning(text, "", NOW_S).retry_after_s


def test_permission_is_named():
    """Who has to act is told what is missing."""
    error = meaning("EGeneral:Permission denied", "WebSocket interface - On", NOW_S)

    assert 'needs the permission "WebSocket interface - On"' in str(error)


def test_nonce_asks_for_one_more_try():
    """A refused nonce is tried once more at once."""
    assert meaning("EAPI:Invalid nonce", "", NOW_S).fresh_nonce


def test_maintenance_is_told_apart():
    """An unavailable service is being maintained; an internal error is not."""
    assert meaning("EService:Unavailable", "", NOW_S).maintenance
    assert not meaning("EGeneral:Internal error", "", NOW_S).maintenance


def _result(body: bytes, status: int = 200) -> bytes:
    return bytes(result_of(Response(status, body), "Query Funds", NOW_S))


def test_warnings_beside_a_result_are_a_success():
    """`W…` texts do not hide the result."""
    assert b'{"A":"1"}' == _result(b'{"error":["WGeneral:Old"],"result":{"A":"1"}}')


def test_empty_account_is_a_result():
    """An empty object is an answer; a missing one is not."""
    assert b"{}" == _result(b'{"result":{},"error":[]}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":[]}',
        b'{"error":[],"result":null}',
        b"{}",
        b"<html>hello</html>",
        b"",
        b'{"error":[],"resu',
        b"[1,2]",
        b'{"error":{"a":1},"result":{}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_answer_without_a_result_is_never_an_empty_success(body):
    """Whatever is not the envelope with a result is unreadable."""
    with pytest.raises(FrameInvalid):
        _result(body)


@pytest.mark.parametrize("status", [403, 500, 502, 520, 301])
def test_html_with_an_error_status_is_an_outage(status):
    """Cloudflare's pages say nothing of balances."""
    with pytest.raises(VenueUnavailable):
        _result(b"<html>down</html>", status)


def test_error_text_counts_more_than_the_status():
    """An error in the body is acted on whatever the status."""
    with pytest.raises(VenueRefused):
        _result(b'{"error":["EAPI:Invalid key"]}', 500)


def test_gravest_error_decides():
    """Of several errors the one that no retry mends wins."""
    with pytest.raises(VenueRefused):
        _result(b'{"error":["EService:Busy","EAPI:Invalid key"]}')
