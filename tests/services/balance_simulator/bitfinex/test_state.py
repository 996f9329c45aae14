"""What the venue remembers."""

import pytest

from balance_simulator.faults import FaultError


def test_keys_open_one_account(desk_with):
    """Several keys have nonces of their own and the same books."""
    desk = desk_with(keys=3)
    expected = ["simulated-key", "simulated-key-2", "simulated-key-3"]
    assert expected == desk.venue.api_keys()
    for key in expected:
        assert 200 == desk.post("/v2/auth/r/wallets", key=key, nonce=1).status


def test_account_may_be_empty(desk_with):
    """Without funds there is no wallet at all."""
    (books,) = desk_with(funded=False).venue.truth()["balances"].values()
    assert {} == books


def test_faults_of_other_venues_are_refused(desk):
    """A fault without a meaning here says so instead of doing nothing."""
    with pytest.raises(FaultError, match="no meaning"):
        desk.venue.fault("clock_skew")


def test_server_ids_look_like_uuids(desk):
    """Five groups of hexadecimal digits, each drawn anew."""
    first, second = desk.state.server_id(), desk.state.server_id()
    assert [8, 4, 4, 4, 12] == [len(part) for part in first.split("-")]
    assert first != second
