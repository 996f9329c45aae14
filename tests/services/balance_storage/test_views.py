"""The views that other teams read, asked in SQL as the role that reads."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from msgspec import structs

from balance_schemas.decimals import add
from balance_schemas.records import (
    BalanceProof,
    ConnectorStatus,
    Difference,
    Movement,
    Reconciliation,
)
from balance_schemas.topics import PROOFS, RECONCILIATIONS, STATUS
from balance_storage import others, rows
from balance_storage.database import Database
from balance_storage.schema import migrate

pytestmark = pytest.mark.integration

PLACE = ("t", 0)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXACT = Decimal("12345678901234567890.123456789012345678")


def hour(number):
    """Return a time of that day."""
    return NOON.replace(hour=number)


class Books:
    """A database of one test, filled through storage."""

    def __init__(self, dsn):
        migrate(dsn)
        self.dsn = dsn

    async def store(self, events, told=()):
        """Store events and records of other topics."""
        async with Database.connect(self.dsn) as database:
            before = await database.positions([PLACE])
            at = before[PLACE]
            batch = [
                rows.row_of(rows.Placed(one, *PLACE, number))
                for number, one in enumerate(events, at)
            ]
            statements = [
                statement
                for topic, record in told
                for statement in others.statements(topic, record, (*PLACE, 0))
            ]
            after = {PLACE: at + len(batch)}
            await database.store(batch, before, after, statements)

    def read(self, query):
        """Return what the role that reads sees."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET ROLE balancebus_reader")
            return connection.execute(query).fetchall()


@pytest.fixture
def books(unmigrated):
    """Give an empty database with its tables."""
    return Books(unmigrated)


def proof(event, **fields):
    """Return a proof of an event's balance."""
    of = {name: getattr(event, name) for name in ("venue", "account", "subaccount")}
    what = {name: getattr(event, name) for name in ("wallet", "wallet_id", "asset")}
    defaults = {
        "verdict": "PROVEN",
        "method": "chain",
        "reason": "",
        "proven_through": hour(10),
        "checked_at": NOON,
        "last_event_id": event.event_id,
    }
    return PROOFS, BalanceProof(**(of | what | defaults | fields))


def status(account="main", **fields):
    """Return a status of a feed."""
    defaults = {
        "venue": "kraken",
        "feed": "ws",
        "state": "live",
        "reason": "",
        "epoch": 1,
        "since": hour(9),
        "instance": "i",
        "version": "1",
    }
    return STATUS, ConnectorStatus(account=account, **(defaults | fields))


async def test_holdings_keep_claims_and_unknown_apart(books, make_event):
    """Assets less liabilities over venues, to the last digit."""
    told = [
        make_event(event_id="a", balance=EXACT),
        make_event(event_id="b", venue="ndax", balance=Decimal(2)),
        make_event(
            event_id="c", wallet="payable", nature="liability", balance=Decimal(3)
        ),
        make_event(
            event_id="d", wallet="receivable", nature="claim", balance=Decimal(4)
        ),
        make_event(
            event_id="e", wallet="unspecified", nature="unknown", balance=Decimal(5)
        ),
        make_event(event_id="f", asset="ETH", balance=Decimal(6)),
    ]
    await books.store(told)
    assert [
        (
            "BTC",
            add(EXACT, Decimal(-1)),
            add(EXACT, Decimal(2)),
            3,
            4,
            5,
            ["kraken", "ndax"],
        ),
        ("ETH", 6, 6, 0, 0, 0, ["kraken"]),
    ] == books.read("SELECT * FROM balancebus.holdings ORDER BY asset")


async def test_current_balances_say_what_is_proven(books, make_event):
    """A balance without a proof has no verdict; one of a figure before is not its."""
    asked = (
        "SELECT asset, verdict, proven_through, is_judged"
        " FROM balancebus.current_balances ORDER BY asset"
    )
    told = [make_event(event_id="a"), make_event(event_id="b", asset="ETH")]
    await books.store(told, [proof(told[0])])
    assert [
        ("BTC", "PROVEN", hour(10), True),
        ("ETH", None, None, None),
    ] == books.read(asked)

    later = structs.replace(told[0], event_id="c", balance=EXACT, sequence=9)
    await books.store([later])
    assert ("BTC", "PROVEN", hour(10), False) == books.read(asked)[0]


async def test_movements_are_added_up_by_day(books, make_event):
    """The day is the venue's, in UTC; a retelling's lines are not counted twice."""
    tiny = Decimal("0.000000000000000001")

    def line(name, **fields):
        return Movement(movement_id=name, type="trade", amount=Decimal(1), **fields)

    early = line("1", fee=tiny, occurred_at=hour(0) - timedelta(seconds=1))
    lines = (early, line("2", occurred_at=hour(1)), line("3"))
    told = make_event(movements=lines)
    again = make_event(movements=lines, epoch=2)
    await books.store([told, again])
    assert [
        (date(2026, 2, 28), "BTC", "trade", 1, 1, tiny, None),
        (date(2026, 3, 1), "BTC", "trade", 2, 2, None, None),
    ] == books.read(
        "SELECT day, asset, type, lines, amount, fee, change"
        " FROM balancebus.movements_by_day ORDER BY day"
    )


async def test_quality_says_how_far_an_account_can_be_trusted(books, make_event):
    """State, last comparison with open differences, and the worst proof."""
    event = make_event()
    difference = Difference(
        subaccount="",
        wallet="spot",
        wallet_id="main",
        asset="BTC",
        residual=Decimal(1),
        cause="unknown",
    )

    def reconciled(at, verdict, *differences):
        return RECONCILIATIONS, Reconciliation(
            venue="kraken",
            account="main",
            requested_at=at,
            answered_at=at,
            verdict=verdict,
            checked=1,
            differences=differences,
        )

    told = [
        status(confirmed_at=hour(11)),
        status("idle", state="stale"),
        reconciled(hour(9), "inconsistent", difference),
        reconciled(hour(10), "inconclusive"),
        proof(event, verdict="VIOLATED"),
    ]
    await books.store([event], told)
    query = (
        "SELECT account, state, confirmed_at, reconciled_at, reconciliation,"
        " open_differences, worst_verdict, balances FROM balancebus.account_quality"
        " ORDER BY account"
    )
    assert [
        ("idle", "stale", None, None, None, 0, "UNPROVEN", 0),
        ("main", "live", hour(11), hour(10), "inconclusive", 1, "VIOLATED", 1),
    ] == books.read(query)
    told = [reconciled(hour(11), "consistent"), proof(event)]
    await books.store([], told)
    assert ("consistent", 0, "PROVEN") == books.read(query)[1][4:7]


async def test_watermark_is_the_least_of_all_and_names_who_holds_it_back(
    books, make_event
):
    """What is not proven any further, or never was, keeps the firm back."""
    query = "SELECT proven_through, account, verdict FROM balancebus.proven_watermark"
    assert [(None, None, None)] == books.read(query)
    one = make_event(event_id="a")
    two = make_event(event_id="b", account="other")
    early = proof(two, proven_through=hour(8), verdict="UNPROVEN", reason="gap")
    await books.store([one, two], [proof(one)])
    assert [(None, "other", "UNPROVEN")] == books.read(query)
    await books.store([], [early])
    assert [(hour(8), "other", "UNPROVEN")] == books.read(query)
    await books.store([], [proof(one, verdict="VIOLATED", proven_through=hour(7))])
    assert [(hour(7), "main", "VIOLATED")] == books.read(query)
    await books.store([], [status("silent")])
    assert [(None, "silent", "UNPROVEN")] == books.read(query)


async def test_states_before_the_last_are_kept(books):
    """What is told every ten seconds is one row; each change is another."""
    told = [
        status(),
        status(last_message_at=hour(10)),
        status(state="stale", reason="gap", since=hour(10)),
        status(since=hour(11)),
    ]
    await books.store([], told)
    assert [(hour(9), "live"), (hour(10), "stale"), (hour(11), "live")] == books.read(
        "SELECT since, state FROM balancebus.status_changes ORDER BY since"
    )
