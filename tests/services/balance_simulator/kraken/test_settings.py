"""The defaults of a stand-in."""

import base64

from balance_simulator.kraken.settings import KrakenSettings


def test_defaults_are_a_quiet_venue_with_a_usable_secret():
    """Nothing moves unless asked for, and the secret is base64."""
    settings = KrakenSettings()
    assert settings.rate == 0
    assert settings.balance_scope == "wallet"
    assert base64.b64decode(settings.api_secret, validate=True)
