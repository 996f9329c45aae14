"""Chains: what is stored can be read back to the byte, and any change shows."""

from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balance_schemas.records import BalanceEvent
from balance_shared.errors import RecordInvalid
from balance_storage import chain, facts, rows, sql
from balance_storage.chain import End
from balance_storage.database import Database
from balance_storage.lines import read_lines
from strategies import records

PLACE = ("t", 0)


def chained(events):
    """Return the links of events of one account, told one after the other."""
    batch = [rows.row_of(rows.Placed(one, *PLACE, at)) for at, one in enumerate(events)]
    told = facts.settle(batch, {}, {}, datetime(2026, 3, 2, tzinfo=UTC))
    accounts = {row.key: 7 for row in batch}
    ends = {7: End()}
    return list(chain.chained(told, accounts, ends)), ends[7]


def test_each_link_is_of_the_one_before(make_event):
    """The same row has another link after another history."""
    one, two = make_event(event_id="a"), make_event(event_id="b")
    links, end = chained([one, two])
    assert [1, 2] == [link.end.number for link in links]
    assert end == links[-1].end
    alone, _ = chained([make_event(event_id="c"), two])
    assert links[1].end.link != alone[1].end.link
    assert links == chained([one, two])[0]


def test_ledger_lines_are_chained_with_their_event():
    """Lines cannot be moved from one text to the next unseen."""
    before = bytes(16)
    links = {
        chain.link_of(before, "a", ()),
        chain.link_of(before, "a", ("b",)),
        chain.link_of(before, "a", ("b", "c")),
        chain.link_of(before, "a", ("bc",)),
    }
    assert 4 == len(links)


@pytest.mark.integration
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(records(BalanceEvent), min_size=1, max_size=3))
async def test_any_event_is_read_back_to_the_byte(migrated, told):
    """PostgreSQL writes the very lines that were chained, whatever is in them."""
    batch = []
    for event in told:
        try:
            batch.append(rows.row_of(rows.Placed(event, *PLACE, len(batch))))
        except RecordInvalid:
            continue
    with psycopg.connect(migrated) as connection:
        connection.execute(
            "TRUNCATE balancebus.tellings, balancebus.event_ids, balancebus.held,"
            " balancebus.consumer_offsets;"
            "UPDATE balancebus.accounts SET number = 0, chain = DEFAULT"
        )
        connection.commit()
        async with Database.connect(migrated) as database:
            before = await database.positions([PLACE])
            await database.store(batch, before, {PLACE: max(1, len(batch))})
        connection.execute(sql.READER)
        for account_id, number, link in connection.execute(
            "SELECT account_id, number, chain FROM balancebus.accounts"
        ).fetchall():
            end, stretch = End(), (account_id, *sql.FIRST_PLACE, 100, 0)
            for line in copied(connection, sql.READ_LINES, stretch):
                at, _, stored, lines, rest = line.split("\t", 4)
                found = chain.link_of(end.link, rest, read_lines(lines))
                end = End(int(at), found)
                assert stored.replace("-", "") == found.hex()
            assert End(number, link.bytes) == end


def copied(connection, query, values):
    """Return the lines that COPY writes."""
    with connection.cursor().copy(query, values) as copy:
        return b"".join(copy).decode().split("\n")[:-1]
