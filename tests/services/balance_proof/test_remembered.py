"""What was told lately is remembered, and no more than that."""

from balance_proof.remembered import Remembered


def test_newest_names_are_kept():
    """The oldest goes where there are too many."""
    told = Remembered(2)
    for name in ("a", "b", "a", "c"):
        told.add(name)
    assert [False, True, True] == [name in told for name in ("a", "b", "c")]
