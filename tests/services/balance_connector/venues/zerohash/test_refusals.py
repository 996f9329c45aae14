"""What errors lead to: only clear words end the process."""

import pytest

from balance_connector.venue import Response
from balance_connector.venues.zerohash.refusals import check, meaning
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable


@pytest.mark.parametrize(
    ("status", "body", "error", "wait_s", "maintenance"),
    [
        (400, b'{"errors":["page must be number"]}', VenueUnavailable, 0, False),
        (400, b'{"errors":["Invalid signature"]}', VenueRefused, 0, False),
        (401, b'{"error":"nope"}', VenueRefused, 0, False),
        (403, b'{"error":true,"message":"Invalid API key"}', VenueRefused, 0, False),
        (403, b'{"error":true,"message":"not allowed"}', VenueRefused, 0, False),
        (
            403,
            b'{"error":true,"message":"Timestamp is not within 60 seconds"}',
            VenueUnavailable,
            0,
            False,
        ),
        (403, b"<html>Error 1020</html>", VenueRefused, 0, False),
        (403, b"<html>just a moment</html>", VenueUnavailable, 0, False),
        (404, b'{"error":"Not Found"}', VenueUnavailable, 0, False),
        (429, b'{"error":"Too Many Requests"}', VenueUnavailable, 10, False),
        (429, b"slow down", VenueUnavailable, 10, False),
        (500, b'{"error":"oops"}', VenueUnavailable, 0, False),
        (502, b"<html>", VenueUnavailable, 0, False),
        (503, b'{"error":"Service Unavailable"}', VenueUnavailable, 0, True),
        (503, b"", VenueUnavailable, 0, True),
        (200, b'{"error":"Internal"}', VenueUnavailable, 0, False),
        (200, b'{"errors":["Invalid passphrase"]}', VenueRefused, 0, False),
    ],
)
def test_error_answers(status, body, error, wait_s, maintenance):
    """By status where it says enough, else by words."""
    with pytest.raises(error) as raised:
        check(Response(status, body), "Zero Hash")

    assert wait_s == getattr(raised.value, "retry_after_s", 0)
    assert maintenance == getattr(raised.value, "maintenance", False)


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'"x"'])
def test_success_that_is_no_object_cannot_be_read(body):
    """It is never taken for an account without balances."""
    with pytest.raises(FrameInvalid):
        check(Response(200, body), "Zero Hash")


def test_refused_address_names_the_allow_list():
    """The operator reads what to look for."""
    with pytest.raises(VenueRefused, match="allow-list"):
        check(Response(403, b"<html>Access denied. Error 1020"), "Zero Hash")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Invalid API key", VenueRefused),
        ("invalid signature", VenueRefused),
        ("Wrong passphrase", VenueRefused),
        ("missing permission", VenueRefused),
        ("Forbidden", VenueRefused),
        ("Invalid timestamp in signature", VenueUnavailable),
        ("Unknown topic", VenueUnavailable),
        ("", VenueUnavailable),
    ],
)
def test_error_texts(text, error):
    """A text that we do not know is tried again."""
    assert error is type(meaning("Zero Hash", text))


@pytest.mark.parametrize("text", ["Forbidden", "no read permission", "Unauthorized"])
def test_missing_permission_is_named(text):
    """The operator reads what the key needs."""
    assert "needs the permission to read" in str(meaning("Zero Hash", text))
    with pytest.raises(VenueRefused, match="needs the permission to read"):
        check(Response(403, b'{"error":"%s"}' % text.encode()), "Zero Hash")


def test_throttle_and_maintenance_are_understood():
    """What the text says of waiting is kept."""
    assert 10 == meaning("Zero Hash", "Rate limit exceeded").retry_after_s
    assert meaning("Zero Hash", "down for maintenance").maintenance
