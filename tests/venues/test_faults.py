"""Every fault of every venue is seen in time, and all is right again soon after."""

import pytest
from dialects import DIALECTS
from faults import FAULTS, RIGHT_S, aim_s, measure

PICTURE_S = 36.0
"""A subscription whose picture was lost is given up after 30 s, and not sooner: a large
account's picture may take that long."""


@pytest.mark.parametrize("played", FAULTS, ids=lambda played: played.title)
@pytest.mark.parametrize("name", DIALECTS)
def test_fault_is_seen_and_mended(name, played):
    """Seen within its aim, and right again within ten seconds."""
    found = measure(name, played)
    if found is None:
        return
    if found.seen_s is None:
        assert not found.wrong
    else:
        assert found.seen_s <= aim_s(name, played)
    limit_s = PICTURE_S if played.arguments.get("lose") else RIGHT_S
    assert found.right_s <= limit_s or not found.wrong
