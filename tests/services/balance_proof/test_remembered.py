"""What was told lately is remembered, and no more than that."""

from hypothesis import given
from hypothesis import strategies as st

from balance_proof.remembered import Remembered


@given(st.lists(st.integers(0, 40).map(str)), st.integers(1, 10))
def test_the_newest_names_are_kept(names, half):
    """Half of the most are sure to be known; never are there more than the most."""
    told = Remembered(2 * half)
    for name in names:
        told.add(name)
    newest = list(dict.fromkeys(reversed(names)))
    known = {name for name in newest if name in told}
    assert set(newest[:half]) <= known
    assert len(known) <= 2 * half
