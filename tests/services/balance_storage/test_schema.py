"""The tables: made once by whoever is first, described, and guarded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from balance_schemas.records import Movement
from balance_shared.errors import SettingsError
from balance_storage import rows
from balance_storage.database import Database
from balance_storage.schema import Migrated, migrate

pytestmark = pytest.mark.integration

HEAD = "0007"
PLACE = ("t", 0)


def test_instances_that_start_together_make_the_tables_once(dsn):
    """One instance makes the tables, the others wait and find them."""
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA IF EXISTS balancebus CASCADE")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(migrate, [dsn] * 4))
    assert results.count(Migrated(None, HEAD)) == 1
    assert results.count(Migrated(HEAD, HEAD)) == 3


def test_every_table_and_column_is_described(migrated):
    """Whoever finds the tables can read what is in them."""
    with psycopg.connect(migrated) as connection:
        undescribed = connection.execute("""
            SELECT c.relname, a.attname
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0
            WHERE c.relnamespace = 'balancebus'::regnamespace AND c.relkind IN ('r', 'p', 'v')
                AND NOT c.relispartition
                AND c.relname <> 'alembic_version' AND NOT a.attisdropped
                AND (col_description(c.oid, a.attnum) IS NULL
                     OR obj_description(c.oid) IS NULL)
        """).fetchall()
    assert undescribed == []


def test_tables_of_a_newer_version_are_refused(migrated):
    """An old program does not touch tables that it does not know."""
    with psycopg.connect(migrated) as connection:
        connection.execute("UPDATE balancebus.alembic_version SET version_num = '9'")
        connection.commit()
        try:
            with pytest.raises(SettingsError, match="revision 9, unknown"):
                migrate(migrated)
        finally:
            connection.execute(
                "UPDATE balancebus.alembic_version SET version_num = %s", (HEAD,)
            )


def test_user_without_rights_is_refused_in_one_line(migrated):
    """Missing rights are a matter of settings, not of trying again."""
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_here")
        connection.execute("CREATE ROLE nobody_here LOGIN")
        connection.execute("DROP SCHEMA balancebus CASCADE")
        weak = psycopg.conninfo.make_conninfo(migrated, user="nobody_here")
        try:
            with pytest.raises(SettingsError, match="permission denied"):
                migrate(weak)
        finally:
            connection.execute("DROP ROLE nobody_here")
    migrate(migrated)


def upgrade_to(dsn, revision):
    """Bring the tables to a revision of the past."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn)
    )
    config = Config()
    config.set_main_option("script_location", "balance_storage:migrations")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE SCHEMA balancebus")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_events_of_the_first_release_are_moved(dsn):
    """No event, ledger line or balance is lost, and each knows when it took effect."""
    line = '{"movement_id": "L1", "type": "trade", "amount": "0.000000000000000001"}'
    told = [
        ("a", "snapshot", 1, "10:00", None, 1, "[]"),
        (
            "b",
            "update",
            2,
            "11:00",
            "09:00",
            2,
            (
                f"[{line.replace('}', ', ')}"
                '"attributes": {}, "occurred_at": "2026-03-01T11:00:00Z"}]'
            ),
        ),
        ("c", "update", 1, "12:00", None, None, "[]"),
        ("d", "backfill", 2, "13:00", "08:00", None, "[]"),
    ]
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA IF EXISTS balancebus CASCADE")
    upgrade_to(dsn, "0001")
    with psycopg.connect(dsn) as connection:
        for offset, (name, kind, epoch, arrived, happened, live, lines) in enumerate(
            told
        ):
            connection.execute(
                "INSERT INTO balancebus.events VALUES (%s, 'k', 'v', 'm', '', 'ws',"
                " 'spot', '', 'asset', 'BTC', '', '', '', %s, %s, NULL, NULL, NULL, '',"
                " %s, '2026-03-01Z'::timestamptz + %s::interval,"
                " '2026-03-01Z'::timestamptz + %s::interval, %s, NULL, NULL, NULL, NULL,"
                " '{}', 't', 0, %s, %s)",
                (name, kind, offset, lines, happened, arrived, epoch, offset, live),
            )
        connection.execute(
            "INSERT INTO balancebus.balances SELECT balance_key, venue, account,"
            " subaccount, wallet, wallet_id, nature, asset, kind, balance, available,"
            " venue_time, received_at, epoch, event_id, topic, topic_partition,"
            " topic_offset FROM balancebus.events WHERE event_id = 'b'"
        )
    assert Migrated("0001", HEAD) == migrate(dsn)
    assert Migrated(HEAD, HEAD) == migrate(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("SET timezone = 'UTC'")
        events = connection.execute(
            "SELECT event_id, to_char(effective_at, 'HH24:MI') FROM balancebus.events"
            " ORDER BY 1"
        ).fetchall()
        lines = connection.execute(
            "SELECT event_id, line, amount, change FROM balancebus.movements"
        ).fetchall()
        held = connection.execute(
            "SELECT event_id, balance FROM balancebus.balances_as_of('infinity')"
        ).fetchall()
        ids = connection.execute(
            "SELECT event_id, live_epoch FROM balancebus.event_ids"
            " JOIN balancebus.events USING (account_id, number)"
            " WHERE digest = balancebus.digest_of(event_id) ORDER BY 1"
        ).fetchall()
        partitions = connection.execute(
            "SELECT DISTINCT tableoid::regclass::text FROM balancebus.tellings"
        ).fetchall()
    assert [("a", "10:00"), ("b", "10:00"), ("c", None), ("d", "08:00")] == events
    assert [("b", 0, Decimal("0.000000000000000001"), None)] == lines
    assert [("b", Decimal(1))] == held
    assert [("a", 1), ("b", 2), ("c", None), ("d", None)] == ids
    assert [("balancebus.tellings_2026_03",)] == partitions


async def test_retention_keeps_what_still_answers(unmigrated, make_event):
    """Old months go, but the last word on a balance stays, and the chain goes on."""
    migrate(unmigrated)
    told = [
        make_event(
            event_id=name,
            asset=asset,
            received_at=datetime(2026, month, 15, tzinfo=UTC),
        )
        for name, asset, month in (
            ("a", "BTC", 1),
            ("x", "ETH", 1),
            ("b", "BTC", 2),
            ("c", "BTC", 3),
        )
    ]
    batch = [rows.row_of(rows.Placed(one, *PLACE, at)) for at, one in enumerate(told)]
    async with Database.connect(unmigrated) as database:
        before = await database.positions([PLACE])
        await database.store(batch, before, {PLACE: 4})
    with psycopg.connect(unmigrated) as connection:
        dropped = connection.execute(
            "SELECT balancebus.drop_partitions('2026-03-20Z')"
        ).fetchone()
        left = connection.execute(
            "SELECT event_id, tableoid::regclass::text FROM balancebus.tellings ORDER BY 1"
        ).fetchall()
        ids = connection.execute(
            "SELECT event_id FROM balancebus.event_ids JOIN balancebus.events"
            " USING (account_id, number) ORDER BY 1"
        ).fetchall()
        starts = connection.execute(
            "SELECT number FROM balancebus.chain_starts"
        ).fetchall()
    assert (4,) == dropped
    assert [
        ("b", "balancebus.tellings_default"),
        ("c", "balancebus.tellings_2026_03"),
        ("x", "balancebus.tellings_default"),
    ] == left
    assert [("b",), ("c",), ("x",)] == ids
    assert [(2,)] == starts


async def test_statuses_of_a_release_before_are_stored_on(unmigrated):
    """A writer that connected before the tables were brought up to date goes on."""
    upgrade_to(unmigrated, "0004")
    status = (
        "INSERT INTO balancebus.status (venue, account, feed, state, since, reason,"
        " instance, version, epoch, sequence) VALUES"
        " ('kraken', 'main', 'ws', 'live', now(), '', '', '', 1, %s)"
        " ON CONFLICT (venue, account, feed) DO UPDATE SET sequence = excluded.sequence"
    )
    async with Database.connect(unmigrated) as old:
        before = await old.positions([PLACE])
        await old.store([], before, {PLACE: 1}, [(status, (0,))])
        assert Migrated("0004", HEAD) == migrate(unmigrated)
        await old.store([], {PLACE: 1}, {PLACE: 2}, [(status, (1,))])
    with psycopg.connect(unmigrated) as connection:
        found = connection.execute(
            "SELECT sequence, backfill_since FROM balancebus.status"
        ).fetchall()
    assert [(1, None)] == found


EVERYTHING = {
    "tellings": "SELECT * FROM balancebus.tellings ORDER BY account_id, number",
    "held": "SELECT * FROM balancebus.held ORDER BY balance_id",
    "balances": "SELECT * FROM balancebus.balances ORDER BY balance_key",
    "movements": "SELECT * FROM balancebus.movements ORDER BY account_id, number, line",
}

OLD = {
    "accounts": "account_id, venue, account, number, chain",
    "balance_keys": "balance_id, account_id, balance_key, venue, account, subaccount,"
    " wallet, wallet_id, asset",
    "consumer_offsets": "topic, topic_partition, next_offset, updated_at, place_id",
    "tellings": "balance_id, number, topic_offset, received_at, epoch, account_id,"
    " place_id, effective_at, venue_time, stored_at, chain, again, event_id, feed,"
    " nature, venue_asset, asset_class, network, kind, balance, available, delta,"
    " reported_balance, balance_scope, sequence, snapshot_id, snapshot_index,"
    " snapshot_size, attributes",
    "event_ids": "digest, live_epoch, account_id, number",
    "held": "balance_id, nature, venue_asset, kind, balance, available, venue_time,"
    " received_at, epoch, event_id, place_id, topic_offset, effective_at",
}
"""Table → columns of revision 0005, but for ledger lines."""

ODD = "tab\t line\n back\\ bell\b feed\f turn\r down\v \\t \\N é"


def history(make_event):
    """Return events with and without ledger lines, told again, late and in two months."""
    many = tuple(
        Movement(
            movement_id=f"{ODD}{at}",
            type="\\N",
            subtype="",
            amount=Decimal(at) / 1000,
            occurred_at=datetime(2026, 2, 1, 1, 2, 3, at, tzinfo=UTC),
            attributes={ODD: ODD},
        )
        for at in range(12)
    )
    one = (
        Movement(movement_id="L1", occurred_at_text="2026-03-01T00:00:00.123456789Z"),
    )
    march = datetime(2026, 3, 15, tzinfo=UTC)
    return [
        make_event(event_id="a", movements=many),
        make_event(event_id="b", kind="backfill", movements=one),
        make_event(event_id="c", account="other", received_at=march, movements=one),
        make_event(event_id="a", movements=many, epoch=2, balance=Decimal(3)),
        make_event(event_id="d", asset="ETH", epoch=1, balance=Decimal("1e-18")),
    ]


async def previous(new, old, batch):
    """Store a batch in one database, and in another as the release before did."""
    upgrade_to(old, "0005")
    migrate(new)
    async with Database.connect(new) as database:
        before = await database.positions([PLACE])
        await database.store(batch, before, {PLACE: len(batch)})
    with psycopg.connect(new) as this, psycopg.connect(old) as that:
        that.execute("SELECT balancebus.make_partition('2026-03-01Z')")
        for table, columns in OLD.items():
            told = (
                "held JOIN balancebus.tellings USING (balance_id, number, received_at)"
            )
            place = told if table == "held" else table
            query = f"COPY (SELECT {columns} FROM balancebus.{place}) TO STDOUT"  # noqa: S608
            with this.cursor().copy(query) as copy:
                text = b"".join(copy)
            into = f"COPY balancebus.{table} ({columns}) FROM STDIN"
            with that.cursor().copy(into) as copy:
                copy.write(text)
        places = this.execute(
            "SELECT topic_offset, account_id, number FROM balancebus.tellings WHERE NOT again"
        ).fetchall()
        columns = ", ".join(rows.MOVEMENT_COLUMNS)
        into = (
            f"COPY balancebus.movement_lines (account_id, number, {columns}) FROM STDIN"
        )
        with that.cursor().copy(into) as copy:
            for offset, *place in places:
                for line in batch[offset].movements:
                    copy.write("\t".join((*map(str, place), line)) + "\n")


async def test_rows_of_the_previous_release_are_what_this_one_stores(
    unmigrated, another, make_event
):
    """Ledger lines to the byte, so that links stay; what holds; and what people read."""
    events = history(make_event)
    batch = [rows.row_of(rows.Placed(one, *PLACE, at)) for at, one in enumerate(events)]
    await previous(unmigrated, another, batch)
    assert Migrated("0005", HEAD) == migrate(another)
    with psycopg.connect(unmigrated) as this, psycopg.connect(another) as that:
        for query in EVERYTHING.values():
            expected = this.execute(query).fetchall()
            assert expected
            assert expected == that.execute(query).fetchall()
        told = this.execute(
            "SELECT movement_id, attributes FROM balancebus.movements LIMIT 1"
        ).fetchone()
    assert (f"{ODD}0", {ODD: ODD}) == told


async def test_previous_release_stores_nothing_more(unmigrated, another, make_event):
    """What it writes has no table now: its transaction fails as a whole."""
    batch = [rows.row_of(rows.Placed(make_event(), *PLACE, 0))]
    await previous(unmigrated, another, batch)
    migrate(another)
    with psycopg.connect(another) as old:
        with pytest.raises(psycopg.errors.UndefinedTable):
            old.execute("COPY balancebus.movement_lines (number) FROM STDIN")
        old.rollback()
        with pytest.raises(psycopg.errors.UndefinedColumn):
            old.execute(
                "INSERT INTO balancebus.held (balance_id, balance) VALUES (1, 1)"
            )


async def test_ledger_line_that_belongs_to_no_row_is_not_lost(
    unmigrated, another, make_event
):
    """Somebody put it there: the tables stay as they are until it is seen to."""
    batch = [rows.row_of(rows.Placed(make_event(), *PLACE, 0))]
    await previous(unmigrated, another, batch)
    with psycopg.connect(another) as connection:
        connection.execute(
            "INSERT INTO balancebus.movement_lines (account_id, number, received_at,"
            " line, movement_id, type, attributes)"
            " VALUES (1, 9, '2026-03-01Z', 0, 'x', '', '{}')"
        )
    with pytest.raises(SettingsError, match="1 ledger lines belong to no row"):
        migrate(another)
    with psycopg.connect(another) as connection:
        found = connection.execute("SELECT number FROM balancebus.movement_lines")
        assert [(9,)] == found.fetchall()


def test_digests_are_the_same_in_sql(migrated):
    """Whoever looks an event up by its id finds what storage wrote."""
    with psycopg.connect(migrated) as connection:
        ((found,),) = connection.execute(
            "SELECT balancebus.digest_of(%s)", ("é|1",)
        ).fetchall()
    assert rows.digest_of("é|1") == found.hex
