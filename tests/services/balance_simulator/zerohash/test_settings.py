"""The two presets."""

from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings


def test_presets_differ_in_four_things():
    """Headers, quote asset, assets and account types; all else is one dialect."""
    ndax, zerohash = NdaxSettings(), ZeroHashSettings()
    different = {
        name
        for name in ZeroHashSettings.__dataclass_fields__
        if getattr(ndax, name) != getattr(zerohash, name)
    }
    assert {"header_prefix", "quote", "assets", "account_types"} == different
    assert ("X-NDAX-", "e₹", 5) == (
        ndax.header_prefix,
        ndax.quote,
        len(ndax.account_types),
    )
    assert ("X-SCX-", "USD", 6) == (
        zerohash.header_prefix,
        zerohash.quote,
        len(zerohash.account_types),
    )


def test_looks_are_frequent_enough_for_the_ping_timeout():
    """A timeout below a second is looked at more often."""
    assert (1.0, 0.2) == (
        ZeroHashSettings().heartbeat_s,
        ZeroHashSettings(ping_timeout_s=0.2).heartbeat_s,
    )
