"""The worst verdict and the least time of a series' balances; the firm's is the last."""

import pytest

from balance_metrics.proofs import Proofs, Proven

WORST = ("PROVEN", "UNPROVEN", "VIOLATED")


@pytest.fixture
def proofs(make):
    """Give what is known of one account."""
    proofs = Proofs()
    proofs.take_status("kraken|main|ws", make.status())
    return proofs


def take(proofs, *told):
    """Take proofs by their keys."""
    for proof in told:
        proofs.take_proof(proof.key, proof)
    return proofs


def test_series_shows_its_balance(proofs, make):
    """Verdict and time of one balance."""
    found = take(proofs, make.proof()).series()
    assert {make.series(): Proven("PROVEN", make.at(0))} == found


@pytest.mark.parametrize("worst", WORST)
def test_series_of_several_balances_shows_the_worst(proofs, make, worst):
    """Several wallet ids are one series."""
    told = [
        make.proof(wallet_id=verdict, verdict=verdict, proven_through=make.at(n))
        for n, verdict in enumerate(WORST[: WORST.index(worst) + 1])
    ]
    assert {make.series(): Proven(worst, make.at(0))} == take(proofs, *told).series()


def test_balance_that_never_was_proven_takes_the_time_away(proofs, make):
    """A series is proven as far as all of it is."""
    told = make.proof(), make.proof(wallet_id="b", proven_through=None)
    assert None is take(proofs, *told).series()[make.series()].through
    assert None is proofs.watermark()


def test_unknown_verdict_is_the_worst(proofs, make):
    """A word that we do not know is no proof."""
    told = make.proof(), make.proof(wallet_id="b", verdict="NEW")
    assert "NEW" == take(proofs, *told).series()[make.series()].verdict


def test_account_that_is_given_up_does_not_count(proofs, make):
    """Neither its series nor in the firm's watermark."""
    take(proofs, make.proof())
    assert make.at(0) == proofs.watermark()
    proofs.take_status("kraken|main|ws", None)
    assert ({}, None) == (proofs.series(), proofs.watermark())


def test_account_without_a_proof_holds_the_firm_back(proofs, make):
    """It is known by its state."""
    take(proofs, make.proof())
    proofs.take_status("ndax|main|ws", make.status(venue="ndax"))
    assert None is proofs.watermark()


def test_deleted_proof_is_forgotten(proofs, make):
    """A tombstone, or a record that nobody can read."""
    take(proofs, make.proof())
    proofs.take_proof(make.proof().key, None)
    assert {} == proofs.series()


def test_only_what_may_differ_is_a_change(proofs, make):
    """States come every ten seconds and seldom say that an account is new."""
    proofs.changed = False
    proofs.take_status("kraken|main|ws", make.status())
    assert not proofs.changed
    proofs.take_status("none", None)
    assert not proofs.changed
    take(proofs, make.proof())
    assert proofs.changed


def test_only_listed_assets_have_series(make):
    """The watermark is of all of them."""
    proofs = Proofs({"BTC"})
    proofs.take_status("kraken|main|ws", make.status())
    take(proofs, make.proof(), make.proof(asset="ETH", proven_through=make.at(-9)))
    assert ["BTC"] == [series.asset for series in proofs.series()]
    assert make.at(-9) == proofs.watermark()
