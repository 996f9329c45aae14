"""What is remembered, and what is forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from balance_shared.remembered import Remembered


@given(st.lists(st.integers(0, 30)), st.integers(1, 10))
def test_the_newest_names_stay_in_the_order_in_which_they_came(names, most):
    """A model that looks through a list keeps the same."""
    remembered: Remembered[int, int] = Remembered(most)
    kept: list[int] = []
    for place, name in enumerate(names):
        remembered.remember(name, place)
        if name not in kept:
            kept = [*kept, name][-most:]
    assert kept == list(remembered)


def test_a_name_told_again_has_its_newest_value():
    """Its age is that of its first telling."""
    remembered: Remembered[str, int] = Remembered(2)
    for name, value in (("a", 1), ("b", 2), ("a", 3)):
        remembered.remember(name, value)
    assert {"a": 3, "b": 2} == remembered


def test_a_copy_goes_its_own_way():
    """What is remembered later by one is unknown to the other."""
    remembered: Remembered[str, int] = Remembered(2)
    remembered.remember("a", 1)
    other = remembered.copy()
    other.remember("b", 2)
    other.remember("c", 3)
    assert ({"a": 1}, {"b": 2, "c": 3}) == (remembered, other)
