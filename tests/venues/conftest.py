"""Each venue in turn, and worlds in virtual time."""

import random
import sys
from pathlib import Path

import pytest

from balance_shared.testing import run_virtually

sys.path.insert(0, str(Path(__file__).parent))  # for dialects, world

from dialects import DIALECTS


@pytest.fixture(params=DIALECTS.values(), ids=DIALECTS)
def dialect(request):
    """Give each venue's dialect in turn."""
    return request.param


@pytest.fixture
def rng():
    """Give a random source that is the same in every run."""
    return random.Random(7)


@pytest.fixture
def virtually():
    """Give the function that runs a scenario in virtual time."""
    return run_virtually
