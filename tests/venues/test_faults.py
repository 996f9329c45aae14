"""Every fault of every venue is seen in time, and all is right again soon after."""

import pytest
from dialects import DIALECTS
from faults import FAULTS, RIGHT_S, aim_s, measure


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
    assert found.right_s <= RIGHT_S or not found.wrong
