"""What can be chosen."""

import pytest

from balance_simulator.bitfinex.settings import BitfinexSettings


@pytest.mark.parametrize("wrong", [{"keys": 0}, {"row_fields": 4}])
def test_what_no_account_looks_like_is_refused(wrong):
    """No key, or a row of four positions, is a wrong setting."""
    with pytest.raises(ValueError, match="is"):
        BitfinexSettings(**wrong)


def test_defaults_are_those_of_the_pages():
    """Heartbeats each 15 s, 30 calculations a batch, 8 a second, 90 calls a minute."""
    told = BitfinexSettings()
    assert (15.0, 30, 8, 90) == (
        told.heartbeat_s,
        told.calc_batch_max,
        told.calc_per_s,
        told.rest_per_minute,
    )
