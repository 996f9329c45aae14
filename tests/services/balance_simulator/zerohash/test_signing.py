"""Keys, passphrases, times and signatures."""

import pytest

from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.signing import (
    ApiKey,
    KeyRing,
    RateLimit,
    RefusedError,
    compact,
    signature,
    signed_content,
)

_KEY = "2mC4ZvVd4goRkuJm+rjr9byUiaUW1b6tVN4xy9QXNSE="


@pytest.mark.parametrize(
    ("method", "route", "body", "expected"),
    [
        ("POST", "/", {}, "TJye4lmOeBGLxZUgVq8wefyAO/y7nS6Eh2Vd/6WXmLE="),
        (
            "POST",
            "/",
            {"filter": {"account_type": "available"}},
            "iQ3/NjT3wlBbPSr6XXKk0X4XX0dpkfKPJVPW4TZO2cQ=",
        ),
        (
            "POST",
            "/",
            {"filter": {"asset": "e₹"}},
            "XMtTwkfmRHZzw8M1ZjDn1Ebnwi1LAeUrmXWfp0+W7Lc=",
        ),
        ("GET", "/accounts", {}, "/ebWIWPGLtbkbU7K27ygSLe0laTA85C1uVzgzk9pQ58="),
    ],
)
def test_signatures_are_those_of_the_vectors(method, route, body, expected):
    """The vectors of the venue notes, computed there with the vendor's demo key."""
    assert expected == signature(_KEY, "1714445421", method, route, compact(body))


@pytest.mark.parametrize(
    ("settings", "message", "expected"),
    [
        ({}, {"messageType": "subscribe", "body": {"filter": {}}}, '{"filter":{}}'),
        ({}, {"messageType": "ping", "key": "k"}, "{}"),
        ({"ping_content": ""}, {"messageType": "ping"}, ""),
        (
            {"signed_content": "message"},
            {"messageType": "ping", "key": "k", "topic": "t", "signature": "s"},
            '{"messageType":"ping","key":"k","topic":"t"}',
        ),
        (
            {"signed_content": "unsigned"},
            {"messageType": "ping", "key": "k", "topic": "t", "signature": "s"},
            '{"messageType":"ping","topic":"t"}',
        ),
    ],
)
def test_what_is_signed_is_a_choice(settings, message, expected):
    """A signature covers the body, what stands for it, or the message around it."""
    assert expected == signed_content(message, ZeroHashSettings(**settings))


@pytest.fixture
def ring():
    """Return a ring with one key."""
    ring = KeyRing(ZeroHashSettings(rate_limit=2))
    ring.add(ApiKey("k", _KEY, "word", "PLAT01"))
    return ring


def _message(**changed):
    given = {
        "messageType": "ping",
        "key": "k",
        "passphrase": "word",
        "timestamp": "1714445421",
        "signature": "TJye4lmOeBGLxZUgVq8wefyAO/y7nS6Eh2Vd/6WXmLE=",
    }
    return given | changed


@pytest.mark.parametrize("now_s", [1714445361, 1714445421, 1714445481])
def test_signed_message_is_known_within_a_minute(ring, now_s):
    """Up to 60 s from the venue's time, the owner of the key is known."""
    assert "PLAT01" == ring.check_message(_message(), now_s * 1_000_000).owner


@pytest.mark.parametrize(
    ("changed", "away_s", "expected"),
    [
        ({"key": "other"}, 0, "Invalid API key"),
        ({"key": None}, 0, "Invalid API key"),
        ({"passphrase": "other"}, 0, "Invalid passphrase"),
        ({"timestamp": 1714445421}, 0, "Invalid timestamp"),
        ({"timestamp": "soon"}, 0, "Invalid timestamp"),
        ({}, 62, "Timestamp is not within 60 seconds"),
        ({}, -62, "Timestamp is not within 60 seconds"),
        ({"signature": "AAAA"}, 0, "Invalid signature"),
        ({"body": {"filter": {}}}, 0, "Invalid signature"),
    ],
)
def test_whoever_signs_wrongly_is_refused(ring, changed, away_s, expected):
    """Each part of the credentials is checked, and 403 says which is wrong."""
    now_us = (1714445421 + away_s) * 1_000_000
    with pytest.raises(RefusedError) as refused:
        ring.check_message(_message(**changed), now_us)
    assert (403, expected) == (refused.value.status, str(refused.value))


def test_calls_within_a_window_are_limited():
    """The limit is counted over a moving window, refused calls included."""
    rate = RateLimit(2, 10_000_000)
    rate.charge(0)
    rate.charge(1_000_000)
    with pytest.raises(RefusedError) as refused:
        rate.charge(9_999_999)
    assert 429 == refused.value.status
    with pytest.raises(RefusedError):
        rate.charge(10_000_000)
    rate.charge(20_000_000)
    assert (1, 3, 2) == (rate.level(20_000_000 - 1), rate.peak, rate.refused)
