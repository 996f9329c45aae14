"""What is learned from one connection for the next."""

import pytest

from balance_connector.rows import ANY
from balance_connector.watch import RETRY_S, RETRY_S_MAX, Patience, Tolerance


def test_patience_grows_up_to_its_limit():
    """Nothing is waited for without end."""
    patience = Patience()
    waits = [(patience.word_s, patience.answer_s)]
    for _ in range(4):
        patience.no_word()
        patience.no_answer()
        waits.append((patience.word_s, patience.answer_s))

    assert [(30, 6), (60, 18), (120, 54), (120, 120), (120, 120)] == waits


@pytest.mark.parametrize(
    ("took_s", "word_s", "answer_s"),
    [(0.2, 30, 6), (3, 30, 6), (10, 30, 20), (20, 40, 40), (61, 120, 120)],
)
def test_picture_that_came_sets_the_patience_for_the_next(took_s, word_s, answer_s):
    """One that took long may take longer still; after a quick one all is as before."""
    patience = Patience()
    for _ in range(3):
        patience.no_word()
        patience.no_answer()
    patience.came(took_s)

    assert (word_s, answer_s) == (patience.word_s, patience.answer_s)


@pytest.mark.parametrize(
    ("took_s", "short_s", "long_s"), [(0.2, 6, (18, 54, 120)), (5, 10, (30, 90, 120))]
)
def test_patience_is_short_for_most_waits_where_a_picture_came(took_s, short_s, long_s):
    """A feed is back soon after its venue, and an account that grew comes in at last."""
    patience, waits_s = Patience(), []
    patience.came(took_s)
    for _ in range(16):
        waits_s.append(patience.answer_s)
        patience.no_answer()

    first, second, third = long_s
    few = [short_s] * 4
    assert [short_s, *few, first, *few, second, *few, third] == waits_s


def test_patience_is_at_most_what_a_picture_may_take():
    """Where pictures are small a long wait is for nothing."""
    patience = Patience(most_s=30)
    patience.came(25)
    assert patience.answer_s == 30
    for _ in range(9):
        patience.no_word()
        patience.no_answer()

    assert (30, 30) == (patience.word_s, patience.answer_s)


def test_what_stays_unreadable_is_tried_ever_more_seldom():
    """A fault of seconds is over in seconds; one that stays makes no storm."""
    tolerance, waits = Tolerance(), []
    tolerance.met(frozenset({"|USD"}), 0)
    for _ in range(5):
        waits.append(tolerance.retry_s)
        tolerance.tried()

    assert [5, 20, 80, 300, 300] == waits


def test_a_new_name_is_tried_soon_again():
    """What could be read until now may be back at once."""
    tolerance = Tolerance()
    for names in ({"|USD"}, {"|USD"}, {"|BTC"}):
        tolerance.tried()
        tolerance.met(frozenset(names), 0)

    assert {"|USD", "|BTC"} == tolerance.names
    assert RETRY_S == tolerance.retry_s


def test_what_was_unreadable_is_remembered_for_a_while():
    """Read once and unreadable again soon after is no new story."""
    tolerance = Tolerance()
    tolerance.met(frozenset({"|USD"}), 100)
    tolerance.well(100 + RETRY_S_MAX)
    assert {"|USD"} == tolerance.names
    tolerance.well(101 + RETRY_S_MAX)
    assert not tolerance.names


def test_pictures_that_do_not_help_are_few():
    """Where one balance after the other cannot be read, no more are taken at once."""
    tolerance = Tolerance()
    for name in "ABCDE":
        tolerance.met(frozenset({name}), 0)
        tolerance.tried()

    assert ANY in tolerance.names
    assert RETRY_S < tolerance.retry_s
