"""How long a picture is waited for, from one connection to the next."""

import pytest

from balance_connector.watch import FACTOR_MAX, PICTURE_S, Patience


def test_patience_doubles_up_to_its_limit():
    """Nothing is waited for without end."""
    patience = Patience()
    factors = []
    for _ in range(4):
        patience.missed()
        factors.append(patience.factor)

    assert [2, 4, FACTOR_MAX, FACTOR_MAX] == factors


@pytest.mark.parametrize(
    ("took_s", "factor"),
    [(0.2, 1), (PICTURE_S / 2, 1), (45, 3), (60, 4), (119, FACTOR_MAX)],
)
def test_picture_that_came_sets_the_patience_for_the_next(took_s, factor):
    """One that took long may take longer still; after a quick one all is as before."""
    patience = Patience()
    for _ in range(3):
        patience.missed()
    patience.came(took_s)

    assert factor == patience.factor
