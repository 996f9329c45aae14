"""What Prometheus sees of verdicts: one of them is 1, and series go with their account."""

import uuid

import pytest
from prometheus_client import REGISTRY

from balance_metrics.proof_gauges import ProofGauges
from balance_metrics.proofs import Proofs


@pytest.fixture
def account():
    """Give an account of the test's own."""
    return uuid.uuid4().hex


@pytest.fixture
def proofs(make, account):
    """Give what is known of one proven balance."""
    proofs = Proofs()
    proofs.take_status("k", make.status(account=account))
    proofs.take_proof("b", make.proof(account=account))
    return proofs


def test_verdict_in_force_is_one(proofs, make, account, shown):
    """And the others are zero."""
    gauges = ProofGauges()
    gauges.show(proofs)
    through = make.at(0).timestamp()
    assert [1, 0, 0] == [
        shown("proof_verdict", account=account, verdict=verdict)
        for verdict in ("PROVEN", "UNPROVEN", "VIOLATED")
    ]
    assert through == shown("proven_through_timestamp_seconds", account=account)
    watermark = "balancebus_proven_watermark_timestamp_seconds"
    assert through == REGISTRY.get_sample_value(watermark)
    proofs.take_proof(
        "b", make.proof(account=account, verdict="VIOLATED", proven_through=None)
    )
    gauges.show(proofs)
    assert 1 == shown("proof_verdict", account=account, verdict="VIOLATED")
    assert None is shown("proven_through_timestamp_seconds", account=account)
    assert 0 == REGISTRY.get_sample_value(watermark)


def test_series_goes_with_its_account(proofs, account, shown):
    """An account that is given up has none."""
    gauges = ProofGauges()
    gauges.show(proofs)
    proofs.take_status("k", None)
    gauges.show(proofs)
    assert None is shown("proof_verdict", account=account, verdict="PROVEN")
    assert None is shown("proven_through_timestamp_seconds", account=account)
