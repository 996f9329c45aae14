"""How long a picture is waited for, from one connection to the next."""

import pytest

from balance_connector.watch import Patience


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
