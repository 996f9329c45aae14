"""Random hours in compressed time: live means right, whatever happens."""

import pytest
from hours import run

from balance_connector.venues import VENUES

SEEDS = 3
"""Hours of each venue here; ``make hours`` runs a thousand."""


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", VENUES)
def test_live_means_right(name, seed):
    """At rest the books are the venue's or the status says that they may not be."""
    assert run(name, seed) is None
