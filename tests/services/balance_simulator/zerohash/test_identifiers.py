"""Ids of accounts, movements and runs."""

import random
import uuid

from balance_simulator.zerohash.identifiers import Identifiers


def test_ids_are_uuids_and_repeat_with_the_seed():
    """Equal seeds draw equal ids, all of them of version 4."""
    drawn = [Identifiers(random.Random(7)).uuid() for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert (4, drawn[0]) == (uuid.UUID(drawn[0]).version, str(uuid.UUID(drawn[0])))


def test_run_numbers_grow_or_change_places():
    """In order or not, no number comes twice."""
    grown = Identifiers(random.Random(7))
    mixed = Identifiers(random.Random(7), runs_in_order=False)
    numbers = [grown.run_id() for _ in range(15)]
    others = [mixed.run_id() for _ in range(15)]
    assert sorted(numbers) == numbers
    assert sorted(others) != others
    assert 15 == len(set(others))
