"""What explains a figure is read from the tables that people read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from balance_schemas.records import Movement
from balance_shared.errors import SettingsError
from balance_storage import rows
from balance_storage.database import Database
from balance_storage.evidence import explained, stored_frames
from balance_storage.explain import frame_of

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = ("t", 0)
KEY = "kraken|main||spot/main|BTC"


def told(make_event, number, kind, balance, **fields):
    """Return an event of an hour."""
    at = START + timedelta(hours=number)
    given = {"event_id": f"id-{number}", "received_at": at, "venue_time": at}
    if kind == "snapshot":
        place = {"snapshot_index": 0, "snapshot_size": 1}
        given |= {"snapshot_id": f"p{number}"} | place
    return make_event(kind=kind, balance=Decimal(balance), **given | fields)


@pytest.fixture(scope="module")
async def books(migrated, make_event):
    """Give tables with pictures, updates, a late line, a comparison and a frame."""
    line = Movement(movement_id="L2", type="deposit", change=Decimal(1))
    events = [
        told(make_event, 0, "snapshot", 5),
        told(make_event, 1, "snapshot", 1),
        told(make_event, 2, "update", 2, delta=Decimal(1), movements=(line,)),
        told(make_event, 3, "update", 7, delta=Decimal(2)),
        told(
            make_event,
            4,
            "backfill",
            5,
            delta=Decimal(3),
            venue_time=START + timedelta(hours=2, minutes=30),
        ),
        told(make_event, 5, "backfill", 9, asset="SOL"),
    ]
    placed = [rows.Placed(event, *PLACE, at) for at, event in enumerate(events)]
    async with Database.connect(migrated) as database:
        before = await database.positions([PLACE])
        made = [rows.row_of(one) for one in placed]
        await database.store(made, before, {PLACE: len(made)})
    compared = START + timedelta(hours=2, minutes=10)
    with psycopg.connect(migrated) as connection:
        connection.execute(
            "INSERT INTO balancebus.reconciliations VALUES"
            " ('kraken', 'main', %(at)s, %(at)s, 'inconsistent', 3),"
            " ('kraken', 'other', %(at)s, %(at)s, 'consistent', 3)",
            {"at": compared},
        )
        connection.execute(
            "INSERT INTO balancebus.reconciliation_differences VALUES"
            " ('kraken', 'main', %(at)s, 0, '', 'spot', 'main', 'BTC', 2, 3, 1, 'x'),"
            " ('kraken', 'main', %(at)s, 1, '', 'spot', 'main', 'ETH', 2, 9, 7, 'x')",
            {"at": compared},
        )
        connection.execute(
            "INSERT INTO balancebus.frames (venue, account, feed, epoch, index,"
            " received_at, source, part, parts, payload, topic, topic_partition,"
            " topic_offset) VALUES ('kraken', 'main', 'ws', 1, 8, %s, 'stream', 0, 1,"
            " 'words', 'f', 2, 99)",
            (START + timedelta(hours=2),),
        )
    return migrated


async def test_late_line_explains_what_was_a_hole(books):
    """Without it the figure does not add up; since it is known it does."""
    found = await explained(books, "kraken|BTC")
    assert (KEY, True) == (found.key, found.adds_up)
    balances = [step.fact.balance for step in found.steps]
    assert (Decimal(1), [Decimal(2), Decimal(5), Decimal(7)]) == (
        found.base.balance,
        balances,
    )
    assert "L2" == found.steps[0].lines[0].movement_id
    before = START + timedelta(hours=3, minutes=30)
    known = await explained(books, KEY, known_at=before)
    assert known.adds_up is False
    assert Decimal(3) == known.breaks[0].residual


async def test_older_time_stands_on_an_older_picture(books):
    """What came later is no part of it."""
    found = await explained(books, KEY, at=START + timedelta(minutes=30))
    assert (Decimal(5), ()) == (found.base.balance, found.steps)


async def test_only_this_balances_differences_are_told(books):
    """The comparisons are of the account, the differences of the balance."""
    found = await explained(books, KEY)
    (compared,) = found.compared
    assert ("inconsistent", Decimal(1)) == (compared.verdict, compared.residual)
    assert found.proof is None


async def test_balance_that_was_only_told_late_is_explained(books):
    """It has no current figure, and was there all the same."""
    found = await explained(books, "SOL")
    assert (Decimal(9), False) == (found.figure.balance, found.stands_on_picture)


async def test_kept_frames_are_found(books):
    """By account, feed, epoch and time of arrival."""
    found = await explained(books, KEY)
    names = [frame_of(step.fact) for step in found.steps]
    frames = await stored_frames(books, KEY, names)
    assert {names[0]: 99} == {name: at.topic_offset for name, at in frames.items()}
    other = replace(found.steps[0].fact, epoch=2)
    assert {} == await stored_frames(books, KEY, [frame_of(other)])


async def test_time_before_everything_is_told(books):
    """One line."""
    with pytest.raises(SettingsError, match="nothing was known of"):
        await explained(books, KEY, at=START - timedelta(days=1))


async def test_missing_tables_are_told(unmigrated):
    """One line that says what to do."""
    with pytest.raises(SettingsError, match="balancebus storage migrate"):
        await explained(unmigrated, KEY)
