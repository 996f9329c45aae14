"""Who may ask: signatures, nonces, permissions, limits."""

import pytest

from balance_simulator.bitfinex.auth import (
    ApiKey,
    KeyRing,
    MinuteLimit,
    RefusedError,
    signature,
)

# Section "Own test vectors" of the notes.
_SECRET = "test-secret"
_NONCE = "1577836800000000"
_STREAM = (
    "2b8d8faefd2c2bd87d2eafca8881de32cb9990861d876c3ea4c7429b20c31f7b"
    "6d8389f9441a77a28ff786c837919e40"
)
_NO_BODY = (
    "0b610649fc628aeb38142714f82af41179e18de86f7c6811bf972892cd055d61"
    "8d2733926f25a58d72b977a84853ab1d"
)
_BODY = (
    "cd508fa1bdec67e67859adbab3c6f50d324e3338ad93e59e24bc02f87328702d"
    "a41c19d2c3f76e45ebab9c6bfe36b18e"
)


def _ring():
    ring = KeyRing()
    ring.add(ApiKey("key", _SECRET))
    return ring


def _auth(**members):
    return {
        "apiKey": "key",
        "authPayload": f"AUTH{_NONCE}",
        "authSig": _STREAM,
        "authNonce": int(_NONCE),
        **members,
    }


def _headers(sign=_NO_BODY, nonce=_NONCE, key="key"):
    return {"bfx-nonce": nonce, "bfx-apikey": key, "bfx-signature": sign}


def test_stream_signature_is_that_of_the_notes():
    """HMAC-SHA384 of the payload, hex, is what lets in; nonces may be texts."""
    assert _STREAM == signature(_SECRET, f"AUTH{_NONCE}".encode())
    assert "key" == _ring().check_stream(_auth(authNonce=_NONCE)).key


@pytest.mark.parametrize(("body", "sign"), [(b"", _NO_BODY), (b"{}", _BODY)])
def test_rest_signature_is_that_of_the_notes(body, sign):
    """The path is signed with /api before it, and the body exactly as sent."""
    path = "/v2/auth/r/wallets"
    assert "key" == _ring().check_rest(path, _headers(sign), body).key
    with pytest.raises(RefusedError, match="10100 apikey: digest invalid"):
        _ring().check_rest(path, _headers(sign), body + b" ")


def test_whatever_payload_was_signed_is_taken():
    """The official Node client signs the nonce twice and gets in."""
    payload = f"AUTH{_NONCE}{_NONCE}"
    event = _auth(authPayload=payload, authSig=signature(_SECRET, payload.encode()))
    assert "key" == _ring().check_stream(event).key


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (_auth(apiKey="other"), "10100 apikey: invalid"),
        (_auth(authSig=_STREAM.upper()), "10100 apikey: digest invalid"),
        (_auth(authNonce=1 << 53), "10114 nonce: small"),
        (_auth(authNonce="now"), "10114 nonce: small"),
        (_auth(authNonce=None), "10114 nonce: small"),
    ],
)
def test_refusals_have_codes(event, expected):
    """Unknown keys, wrong digests and bad nonces are told apart."""
    with pytest.raises(RefusedError) as refused:
        _ring().check_stream(event)
    assert expected == str(refused.value)


def test_one_key_has_one_counter_for_stream_and_rest():
    """A nonce used on the stream is too small for REST, and the last one stays."""
    ring = _ring()
    ring.check_stream(_auth(authNonce=(1 << 53) - 1))
    with pytest.raises(RefusedError, match="nonce: small"):
        ring.check_rest("/v2/auth/r/wallets", _headers(), b"")
    assert 1 == ring.invalid_nonces
    assert {"key": (1 << 53) - 1} == ring.last_nonces


def test_a_wrong_signature_uses_up_no_nonce():
    """The nonce of a forged call is still good."""
    ring = _ring()
    with pytest.raises(RefusedError):
        ring.check_stream(_auth(authSig="0"))
    assert "key" == ring.check_stream(_auth()).key


def test_permission_is_asked_for_by_name():
    """A key that may read nothing may not read wallets."""
    with pytest.raises(RefusedError, match="wallets"):
        ApiKey("key", _SECRET, frozenset()).require("wallets")


def test_offenders_are_blocked_for_a_while():
    """The third call of two a minute is refused, and all for ten seconds more."""
    limit = MinuteLimit(most=2, blocked_us=10_000_000)
    assert [True, True, False] == [limit.take(0) for _ in range(3)]
    assert not limit.take(9_999_999)
    assert (4, 2) == (limit.peak, limit.refused)
    assert limit.take(70_000_000)
