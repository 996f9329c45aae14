"""How long a picture is waited for, from one connection to the next."""

import pytest

from balance_connector.watch import ANSWER_S, ANSWER_S_MAX, Patience


def test_patience_grows_up_to_its_limit():
    """Nothing is waited for without end."""
    patience = Patience()
    seconds = [patience.seconds]
    for _ in range(4):
        patience.missed()
        seconds.append(patience.seconds)

    assert [6, 18, 54, ANSWER_S_MAX, ANSWER_S_MAX] == seconds


@pytest.mark.parametrize(
    ("took_s", "seconds"),
    [(0.2, ANSWER_S), (3, ANSWER_S), (20, 40), (61, ANSWER_S_MAX)],
)
def test_picture_that_came_sets_the_patience_for_the_next(took_s, seconds):
    """One that took long may take longer still; after a quick one all is as before."""
    patience = Patience()
    for _ in range(3):
        patience.missed()
    patience.came(took_s)

    assert seconds == patience.seconds
