"""Keys, signatures, nonces, permissions, tokens, rates."""

import random

import pytest

from balance_simulator.exact import MICROSECONDS
from balance_simulator.kraken.auth import (
    QUERY_FUNDS,
    TOKEN_LIFE_US,
    ApiKey,
    KeyRing,
    RateLimit,
    RefusedError,
    TokenStore,
    read_parameters,
    signature,
)
from balance_simulator.kraken.identifiers import Identifiers

_SEEDED = random.Random(1)
# The published example of "Spot REST Authentication", and ours with the same key.
_SECRET = (
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1"
    "huXg=="
)
_NONCE = "1616492376594"
_FORM = "application/x-www-form-urlencoded"
_VECTORS = [
    (
        "/0/private/AddOrder",
        f"nonce={_NONCE}&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        (
            "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6"
            "H8ndwLUQ=="
        ),
    ),
    (
        "/0/private/Balance",
        f"nonce={_NONCE}",
        (
            "1nH4vwR+8FHiYh1QT649xXkGd3JR3x0DWkgv3u9Ed/Qqv6KPtgQpEU4m+Emb/VgpEji3j1XNwI+HCb"
            "fXxmrTOg=="
        ),
    ),
    (
        "/0/private/Balance",
        f"nonce={_NONCE}&rebase_multiplier=base",
        (
            "fY3PWePqfewbRf5LXqzny9pfXwWSjkwInoGLzpfjUC34a9jS9rfj0WQHcBc/zjzU+6vpGU5wW9pbx2"
            "KvYn9XBw=="
        ),
    ),
    (
        "/0/private/GetWebSocketsToken",
        f"nonce={_NONCE}",
        (
            "+mRDmY9Ks0Moc1zjv/BjfvYa98buO0x1yHChZR5onlfAzAUbfIYlLggUZzdQ0RsmXm4Sh+Q8iAIZdo"
            "2wSeHeiA=="
        ),
    ),
    (
        "/0/private/Balance",
        f'{{"nonce": {_NONCE}, "rebase_multiplier": "rebased"}}',
        (
            "dKVzRARvzulEfe46lQNfCHTy5V76xSPbsxcmB3vuaO3lU8oiGOoVyIzSC/KdsoGXF2SuuTPWNmDwZI"
            "R0eIjObg=="
        ),
    ),
]


@pytest.mark.parametrize(("path", "body", "expected"), _VECTORS)
def test_signatures_match_the_known_vectors(path, body, expected):
    """The published vector and those of our two endpoints are met."""
    assert signature(_SECRET, path, _NONCE, body.encode()) == expected


@pytest.fixture
def ring():
    """Return a ring with one key."""
    ring = KeyRing(15, 0.33)
    ring.add(ApiKey("key", _SECRET, "USER"))
    return ring


def _check(ring, nonce=_NONCE, key="key", body=None):
    body = f"nonce={nonce}".encode() if body is None else body
    parameters = read_parameters(_FORM, body)
    path = "/0/private/Balance"
    sign = signature(_SECRET, path, str(parameters.get("nonce", "")), body)
    headers = {"API-Key": key, "API-Sign": sign}
    return ring.check(path, headers, body, parameters)


def test_nonces_must_grow(ring):
    """An equal or lower nonce is refused and counted; a higher one is taken."""
    _check(ring, 10)
    for nonce in (10, 9, 0, "ten", 1 << 64):
        with pytest.raises(RefusedError, match="EAPI:Invalid nonce"):
            _check(ring, nonce)
    assert ring.invalid_nonces == 5
    assert _check(ring, (1 << 64) - 1).user == "USER"


def test_wrong_key_and_signature_are_told_apart(ring):
    """An unknown key and a changed body each have the venue's word."""
    with pytest.raises(RefusedError, match="EAPI:Invalid key"):
        _check(ring, key="other")
    with pytest.raises(RefusedError, match="EAPI:Invalid signature"):
        ring.check("/p", {"API-Key": "key"}, b"nonce=1", {"nonce": "1"})
    assert ring.last_nonces == {}


def test_bodies_are_read_as_their_content_type_says():
    """Forms and JSON objects are read, everything else is refused."""
    assert read_parameters(_FORM, b"nonce=1&a=") == {"nonce": "1", "a": ""}
    assert read_parameters("application/json", b'{"nonce": 1}') == {"nonce": 1}
    for content_type, body in [
        ("application/json", b"[1]"),
        ("application/json", b"nonce=1"),
        ("text/plain", b"nonce=1"),
        (_FORM, b"\xff"),
    ]:
        with pytest.raises(RefusedError, match="EGeneral:Invalid arguments"):
            read_parameters(content_type, body)


def test_rate_counter_rises_and_falls():
    """Fifteen calls fill the Starter counter; it falls by 0.33 a second."""
    rate = RateLimit(15, 0.33)
    for _ in range(15):
        rate.charge(1, 0)
    with pytest.raises(RefusedError, match="EAPI:Rate limit exceeded"):
        rate.charge(1, 0)
    rate.charge(1, 4 * MICROSECONDS)
    assert rate.level(4 * MICROSECONDS) == pytest.approx(14.68)
    assert rate.peak == 15


def test_tokens_expire_unless_a_subscription_lives():
    """A token is good for 15 minutes, and longer while it is held."""
    store, key = TokenStore(Identifiers(_SEEDED)), ApiKey("k", "", "U")
    token = store.issue(key, 0)
    assert store.check(token, TOKEN_LIFE_US) is key
    with pytest.raises(RefusedError, match="ESession:Invalid session"):
        store.check(token, TOKEN_LIFE_US + 1)
    store.hold(token)
    assert store.check(token, TOKEN_LIFE_US * 9) is key
    store.release(token)
    with pytest.raises(RefusedError):
        store.check(token, TOKEN_LIFE_US * 9)


def test_invalidated_and_unknown_tokens_are_refused():
    """After an upgrade every token is worthless; so is what is no token."""
    store = TokenStore(Identifiers(_SEEDED))
    token = store.issue(ApiKey("k", "", "U"), 0)
    store.hold(token)
    store.invalidate()
    store.release(token)
    for given in (token, None, 5, "nonsense"):
        with pytest.raises(RefusedError, match="ESession:Invalid session"):
            store.check(given, 0)


def test_missing_permission_has_the_venues_word():
    """A key without the permission is refused."""
    with pytest.raises(RefusedError, match="EGeneral:Permission denied"):
        ApiKey("k", "", "U", frozenset()).require(QUERY_FUNDS)
