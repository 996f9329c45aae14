"""Signatures against the venue's published vector and those derived from it."""

import pytest

from balance_connector.venue import Credentials
from balance_connector.venues.kraken.auth import private_call, signature
from balance_shared.errors import SettingsError

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
NONCE = 1616492376594

ORDER = (
    b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
)
VECTORS = [
    (
        "/0/private/AddOrder",
        ORDER,
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
    ),
    (
        "/0/private/Balance",
        b"nonce=1616492376594",
        "1nH4vwR+8FHiYh1QT649xXkGd3JR3x0DWkgv3u9Ed/Qqv6KPtgQpEU4m+Emb/VgpEji3j1XNwI+HCbfXxmrTOg==",
    ),
    (
        "/0/private/Balance",
        b"nonce=1616492376594&rebase_multiplier=base",
        "fY3PWePqfewbRf5LXqzny9pfXwWSjkwInoGLzpfjUC34a9jS9rfj0WQHcBc/zjzU+6vpGU5wW9pbx2KvYn9XBw==",
    ),
    (
        "/0/private/GetWebSocketsToken",
        b"nonce=1616492376594",
        "+mRDmY9Ks0Moc1zjv/BjfvYa98buO0x1yHChZR5onlfAzAUbfIYlLggUZzdQ0RsmXm4Sh+Q8iAIZdo2wSeHeiA==",
    ),
]


@pytest.mark.parametrize(("path", "body", "expected"), VECTORS)
def test_signature_is_the_venues(path, body, expected):
    """The published vector and our endpoints' sign as they should."""
    assert expected == signature(SECRET, path, NONCE, body)


def test_signed_bytes_are_the_bytes_sent():
    """The signature covers exactly the body that goes out."""
    request = private_call(
        Credentials("key", SECRET), "Balance", NONCE, rebase_multiplier="base"
    )

    assert b"nonce=1616492376594&rebase_multiplier=base" == request.body
    assert VECTORS[2][2] == request.headers["API-Sign"]
    assert "key" == request.headers["API-Key"]


def test_secret_that_is_no_base64_is_refused_without_showing_it():
    """A cut secret is named as the cause, and not printed."""
    with pytest.raises(SettingsError, match="is not base64") as raised:
        signature("abc!", "/0/private/Balance", 1, b"")

    assert "abc!" not in str(raised.value)


def test_credentials_do_not_print_themselves():
    """A credential in a log line shows nothing."""
    assert SECRET not in repr(Credentials("public", SECRET, "pass"))
    assert "public" not in repr(Credentials("public", SECRET, "pass"))
