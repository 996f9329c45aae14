"""Signatures against vectors computed from the documented rule with the public key."""

import json

import pytest
from accounts_feed import KEY, NOW, SECRET, connection

from balance_connector.venue import Credentials
from balance_connector.venues.zerohash.auth import (
    signature,
    signed_get,
    signed_message,
)
from balance_connector.venues.zerohash.options import Dialect, ZeroHashOptions
from balance_shared.errors import SettingsError

TIMESTAMP = "1714445421"
DIALECT = Dialect("Zero Hash", "X-SCX-")


@pytest.mark.parametrize(
    ("method", "route", "content", "expected"),
    [
        ("POST", "/", "{}", "TJye4lmOeBGLxZUgVq8wefyAO/y7nS6Eh2Vd/6WXmLE="),
        (
            "POST",
            "/",
            '{"filter":{"account_type":"available"}}',
            "iQ3/NjT3wlBbPSr6XXKk0X4XX0dpkfKPJVPW4TZO2cQ=",
        ),
        (
            "POST",
            "/",
            '{"filter":{"asset":"e₹"}}',
            "XMtTwkfmRHZzw8M1ZjDn1Ebnwi1LAeUrmXWfp0+W7Lc=",
        ),
        ("GET", "/accounts", "{}", "/ebWIWPGLtbkbU7K27ygSLe0laTA85C1uVzgzk9pQ58="),
    ],
)
def test_signature(method, route, content, expected):
    """The notes' own vectors, made with the documentation's public demo key."""
    assert expected == signature(SECRET, TIMESTAMP, method, route, content.encode())


def test_subscription_signs_its_body():
    """All members in order, the timestamp as text in whole seconds."""
    stream = connection(filter_asset="e₹", filter_account_type="available")
    (sent,) = stream.open(None, 1, NOW).send

    expected = {
        "messageType": "subscribe",
        "topic": "balances",
        "body": {"filter": {"account_type": "available", "asset": "e₹"}},
        "useMultiChainAssetFormat": True,
        "key": "key",
        "passphrase": "pass",
        "timestamp": "1767323045",
    }
    body = '{"filter":{"account_type":"available","asset":"e₹"}}'.encode()
    expected["signature"] = signature(SECRET, "1767323045", "POST", "/", body)
    assert list(expected.items()) == list(json.loads(sent).items())
    assert body in sent


def test_message_as_signed_content():
    """The other reading: all that is sent but the signature, in the order sent."""
    options = ZeroHashOptions(signed_content="message")
    sent = signed_message(KEY, options, {"messageType": "ping"}, NOW)
    whole = (
        b'{"messageType":"ping","key":"key","passphrase":"pass",'
        b'"timestamp":"1767323045"}'
    )

    expected = signature(SECRET, "1767323045", "POST", "/", whole)
    assert expected == json.loads(sent)["signature"]


def test_call_signs_its_route_with_the_query():
    """The route is signed as sent, with ``{}`` for the body that is not."""
    request = signed_get(
        KEY,
        ZeroHashOptions(),
        DIALECT,
        "/accounts",
        {"page": "1", "asset": "e₹ /"},
        NOW,
    )
    path = "/accounts?page=1&asset=e%E2%82%B9%20%2F"

    assert ("GET", path, "accounts", b"") == (
        request.method,
        request.path,
        request.source,
        request.body,
    )
    assert {
        "X-SCX-API-KEY": "key",
        "X-SCX-SIGNED": signature(SECRET, "1767323045", "GET", path, b"{}"),
        "X-SCX-TIMESTAMP": "1767323045",
        "X-SCX-PASSPHRASE": "pass",
    } == dict(request.headers)


@pytest.mark.parametrize("secret", ["abc!", "abc", "ä"])
def test_secret_that_is_no_base64_is_refused_without_showing_it(secret):
    """A cut secret is named as the cause, and not printed."""
    with pytest.raises(SettingsError, match="is not base64") as raised:
        signature(Credentials("k", secret).secret, TIMESTAMP, "GET", "/", b"{}")

    assert secret not in str(raised.value).replace("base64", "")
