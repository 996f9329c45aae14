"""Lines that come and go one by one are searched as if each time from the beginning."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from balance_proof.question import Line, explaining
from balance_proof.search import Search

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def line(seconds: int, name: int, change: int) -> Line:
    """Return a line, some seconds after noon."""
    return Line(NOON + seconds * SECOND, f"l{name}", change)


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.integers(0, 5), st.integers(-4, 4)), max_size=14),
    st.integers(-12, 12),
    st.data(),
)
def test_same_run_as_of_all_lines_at_once(known, told, amount, data):
    """Whatever comes where and whatever goes, it is the run that a full look finds."""
    lines = [line(*place, change) for place, change in _numbered(told)]
    there = sorted(lines[:known])
    search = Search(["key"], there, amount)
    for new in lines[known:]:
        if search.found is None and there and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(there))
            there.remove(gone)
            search.remove(gone)
            assert _explaining(there, amount) == search.found
        if search.found is None:
            there = sorted([*there, new])
            search.add(new)
        assert _explaining(there, amount) == search.found


def _numbered(told):
    for number, (seconds, change) in enumerate(told):
        yield (seconds, number), change


def _explaining(lines, amount):
    run = explaining(lines, amount)
    return None if run is None else lines[run]


def test_line_that_goes_lets_its_neighbours_explain():
    """What lay between them was told by the stream."""
    first, between, last = line(1, 1, 2), line(2, 2, 9), line(3, 3, 3)
    search = Search(["key"], [first, between, last], 5)
    assert None is search.found
    search.remove(between)
    assert [first, last] == search.found


def test_line_in_the_middle_explains_with_both_sides():
    """A page comes in front of one that was told before."""
    first, between, last = line(1, 1, 2), line(2, 2, 9), line(3, 3, 3)
    search = Search(["key"], [last], 14)
    search.add(first)
    search.add(between)
    assert [first, between, last] == search.found
