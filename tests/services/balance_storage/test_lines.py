"""What is written of a batch beside its tellings."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_storage import facts, rows
from balance_storage.chain import End, chained
from balance_storage.lines import (
    Beside,
    Numbers,
    copied_ids,
    copied_lines,
    lines,
    read_lines,
)

PLACE = ("t", 0)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
KEY = "kraken|main||spot/main|BTC"
NUMBERS = Numbers({KEY: 5}, {KEY: 7}, {PLACE: 9})


@pytest.fixture
def written(make_event):
    """Give a function that writes events; returns lines and what is beside them."""

    def write(*told):
        placed = [
            rows.Placed(make_event(**fields), *PLACE, at)
            for at, fields in enumerate(told)
        ]
        batch = [rows.row_of(one) for one in placed]
        beside = Beside()
        settled = facts.settle(batch, {}, {}, NOW)
        links = chained(settled, NUMBERS.accounts, {7: End()})
        return list(lines(links, NUMBERS, beside)), beside

    return write


def stored_id(digest, epoch):
    """Return a first line's id in binary form: each value has its size before it."""
    live = "ffffffff" if epoch is None else f"00000008{epoch:016x}"
    values = f"0004{16:08x}{digest}{live}{4:08x}{7:08x}{8:08x}{1:016x}"
    return bytes.fromhex(values)


def test_ids_are_copied_in_the_order_of_their_index(written):
    """PostgreSQL puts them in side by side."""
    _, beside = written(*({"event_id": name} for name in "abc"))
    header, end = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
    assert copied_ids(beside.ids) == header + b"".join(sorted(beside.ids)) + end
    assert beside.ids != sorted(beside.ids)


def test_telling_is_written_with_its_numbers_and_its_link(written):
    """Balance, account, number and place come first, link and ledger lines last."""
    (line,), _ = written({})
    *numbers, link, last = line.rstrip("\n").split("\t")
    assert ["5", "7", "1", "9"] == numbers[:4]
    assert (32, rows.NULL) == (len(link), last)


def test_id_told_again_in_one_batch_has_its_first_line_and_its_last_epoch(written):
    """The id is stored as it was told first, and then moves to the later epoch."""
    _, beside = written({"epoch": 1}, {"epoch": 2}, {"epoch": 2}, {"epoch": 3})
    digest = rows.digest_of("kraken|main||L1")
    assert [stored_id(digest, 1)] == beside.ids
    assert {digest: 3} == beside.live_epochs


def test_id_of_a_backfill_has_no_live_epoch(written):
    """A live record of it is still to come."""
    _, beside = written({"kind": "backfill"})
    assert [stored_id(rows.digest_of("kraken|main||L1"), None)] == beside.ids
    assert {} == beside.current


def test_ledger_lines_are_written_once(written, make_event):
    """A retelling has the lines of the event that it repeats."""
    movements = rows.Movement(movement_id="M1"), rows.Movement(movement_id="M2")
    told = {"movements": movements}
    found, _ = written(told, {**told, "epoch": 2})
    first, second = (line.rstrip("\n").split("\t")[-1] for line in found)
    assert ["M1", "M2"] == [line.split("\t")[2] for line in read_lines(first)]
    assert rows.NULL == second


def test_last_that_holds_is_current(written):
    """Of each balance one row holds, and we say where it lies."""
    at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    _, beside = written({"event_id": "a"}, {"event_id": "b", "received_at": at})
    assert {5: (7, 2, rows.time_text(at))} == beside.current
    assert {KEY: facts.Head(1, at)} == beside.heads


COPIED = st.text(st.sampled_from("aN\t\\tnb")).map(
    lambda text: "x\t" + text.replace("\\", "\\\\")
)


@given(st.lists(COPIED, max_size=3))
def test_ledger_lines_are_one_value_and_back(movements):
    """Whatever is in them, they come back, and the value has no end of a line in it."""
    value = copied_lines(movements)
    assert tuple(movements) == read_lines(value)
    assert not {"\t", "\n"} & set(value)


def test_value_that_copy_would_not_have_written_is_told_apart():
    """A control character that was put in by hand is not the mark that was there."""
    assert read_lines("a\\\\rb") != read_lines("a\\rb")
