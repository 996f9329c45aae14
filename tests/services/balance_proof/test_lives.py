"""Whole lives of connectors: a PROVEN is never wrong, and without fault none is accused."""

import pytest
from lives import FAULTS, run

from balance_connector.venues import VENUES

SEEDS = 3
"""Lives of each venue here, with faults and without; ``make proofs`` runs a thousand."""


@pytest.mark.parametrize("faults", [True, False], ids=["faults", "quiet"])
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", VENUES)
def test_proven_is_right_and_quiet_is_proven(name, seed, faults):
    """Whatever is injected; without it nothing is VIOLATED and all is PROVEN in the end."""
    assert run(name, seed, faults=faults) is None


def test_faults_are_there():
    """Losses, duplicates, wrong order and wrong figures are all in the hat."""
    assert {"gap", "duplicate", "reorder", "figure", "torn"} <= {
        name for name, _ in FAULTS
    }
