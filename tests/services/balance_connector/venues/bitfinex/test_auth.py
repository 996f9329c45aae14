"""Signatures: what is signed is what is sent."""

import hashlib
import hmac
import json

from bitfinex_conversation import KEY

from balance_connector.venue import Credentials
from balance_connector.venues.bitfinex import BITFINEX
from balance_connector.venues.bitfinex.auth import (
    auth_event,
    private_call,
    signature,
)

NONCE = 1_767_322_445_000_000


def test_signature_is_hex_of_hmac_sha384():
    """RFC 4231, test case 2."""
    assert (
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
        "8e2240ca5e69e2c78b3239ecfab21649"
    ) == signature("Jefe", b"what do ya want for nothing?")


def test_call_is_signed_over_its_api_path_nonce_and_body():
    """The path that is signed begins with /api, the one that is called does not."""
    request = private_call(KEY, "ledgers/hist", NONCE, b'{"limit":2500}')
    payload = b'/api/v2/auth/r/ledgers/hist1767322445000000{"limit":2500}'
    signed = hmac.new(b"secret", payload, hashlib.sha384).hexdigest()

    assert ("POST", "/v2/auth/r/ledgers/hist", "hist", b'{"limit":2500}') == (
        request.method,
        request.path,
        request.source,
        request.body,
    )
    assert {
        "bfx-nonce": "1767322445000000",
        "bfx-apikey": "key",
        "bfx-signature": signed,
        "Content-Type": "application/json",
    } == request.headers


def test_secret_is_used_as_it_is_shown():
    """It is no base64, and any text is a key."""
    event = json.loads(auth_event(Credentials("k", "c2VjcmV0"), NONCE))
    signed = hmac.new(b"c2VjcmV0", b"AUTH1767322445000000", hashlib.sha384)

    assert signed.hexdigest() == event["authSig"]


def test_orders_are_never_cancelled():
    """A connection that breaks off must not cancel the customer's orders."""
    assert "dms" not in json.loads(auth_event(KEY, NONCE))


def test_nonces_stay_below_the_venues_limit():
    """Microseconds fit into 2⁵³ - 1 for two hundred years."""
    year_2200_s = 7_258_118_400

    assert year_2200_s * BITFINEX.nonces_per_s <= 2**53 - 1
