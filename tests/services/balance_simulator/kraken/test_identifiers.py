"""Identifiers shaped as the venue's."""

import random
import re

from balance_simulator.kraken.identifiers import Identifiers


def test_shapes_are_those_of_the_pages():
    """Ids have the lengths and letters of the examples."""
    made = Identifiers(random.Random(1))
    six_five_six = r"[A-Z2-7]{6}-[A-Z2-7]{5}-[A-Z2-7]{6}"
    assert re.fullmatch(six_five_six, made.ledger_id())
    assert re.fullmatch(six_five_six, made.trade_ref())
    assert re.fullmatch(r"FT[A-Za-z0-9]{5}-[A-Za-z0-9]{22}", made.transfer_ref())
    assert re.fullmatch(r"[A-Z0-9]{16}", made.user_id())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made.token())
    assert made.connection_id() >= 1 << 63


def test_equal_seeds_draw_equal_ids_and_never_one_twice():
    """A seed decides every id, and 20,000 of them are all different."""
    first, second = (Identifiers(random.Random(5)) for _ in range(2))
    drawn = [first.ledger_id() for _ in range(20_000)]
    assert drawn == [second.ledger_id() for _ in range(20_000)]
    assert len(set(drawn)) == 20_000
