"""Records of one account, in the order in which a connector tells them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for lives, proof_records

from proof_records import Make


@pytest.fixture
def make() -> Make:
    """Give the builders."""
    return Make()
