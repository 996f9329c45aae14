"""The connector beside a Kraken that says, word by word, what a test wants to hear."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from scripted_kraken import (
    API_SECRET,
    Answer,
    Bus,
    Connection,
    Connector,
    ScriptedKraken,
    failure,
    line,
    picture_row,
    result,
    snapshot,
    update,
)

pytestmark = pytest.mark.end_to_end

PROGRAM = str(Path(sys.executable).with_name("balancebus"))
PREFIX = "conversation"
D = Decimal

SEED_SNAPSHOT = """{
    "channel": "balances",
    "data": [
        {"asset": "BTC", "asset_class": "currency", "balance": 1.2,
         "wallets": [{"type": "spot", "id": "main", "balance": 1.2}]},
        {"asset": "MATIC", "asset_class": "currency", "balance": 500,
         "wallets": [{"type": "spot", "id": "main", "balance": 300},
                     {"type": "earn", "id": "flex", "balance": 200}]},
        {"asset": "USD", "asset_class": "currency", "balance": 80595.4943,
         "wallets": [{"type": "spot", "id": "main", "balance": 80595.4943}]}
    ],
    "type": "snapshot",
    "sequence": 1
}"""
SEED_DEPOSIT = """{
   "channel": "balances",
   "type": "update",
   "data": [
      {"ledger_id": "ADKKFF-WEA5A-CNUBHG", "ref_id": "AGBWUJRU-LAREZ-W3UFAN",
       "timestamp": "2023-09-22T10:23:42.925034Z", "type": "deposit", "asset": "BTC",
       "asset_class": "currency", "category": "deposit", "wallet_type": "spot",
       "wallet_id": "main", "amount": 0.01, "fee": 0.0, "balance": 0.02}
   ],
   "sequence": 2
}"""

FIGURES = {
    "D18": ("0.123456789012345678", "0.123456789012345678"),
    "D19ZERO": ("0.1234567890123456780", "0.123456789012345678"),
    "D19": ("0.1234567890123456789", None),
    "D38": (
        "12345678901234567890.123456789012345678",
        "12345678901234567890.123456789012345678",
    ),
    "D21": ("100000000000000000000", None),
    "SMALL": ("1e-8", "0.00000001"),
    "LARGE": ("1E+5", "100000"),
    "MINUS": ("-12.5", "-12.5"),
    "MINUSZERO": ("-0.0", "0"),
    "TEXT": ('"1.10"', "1.10"),
    "TEXTNAN": ('"NaN"', None),
    "TEXTINFINITY": ('"Infinity"', None),
    "TRUE": ("true", None),
    "NULL": ("null", None),
    "LIST": ("[1]", None),
    "HUGE": ("1e400", None),
    "TINY": ("1e-400", None),
    "VAST": ("1e1000000000", None),
    "LONG": ("1" * 5000, None),
    "LONGZEROS": ("1." + "0" * 5000, "1"),
}

UNREADABLE = {
    "truncated": '{"channel":"balances","type":"update","data":[{"asset":"BT',
    "binary": b'{"channel":"balances\xff\xfe"}',
    "nested": '{"channel":"balances","type":"update","data":' + "[" * 100_000,
    "no list": '{"channel":"balances","type":"update","data":{},"sequence":2}',
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(stack) -> AsyncIterator[Bus]:
    """Give a reader of this module's topics."""
    environment = stack.endpoints.environment() | {"BALANCEBUS_TOPIC_PREFIX": PREFIX}
    await asyncio.to_thread(
        subprocess.run,
        [PROGRAM, "topics", "apply"],
        env=environment,
        check=True,
        capture_output=True,
    )
    async with Bus(
        stack.endpoints.kafka_bootstrap_servers,
        stack.endpoints.schema_registry_url,
        PREFIX,
    ) as reader:
        yield reader


@pytest_asyncio.fixture(loop_scope="session")
async def kraken() -> AsyncIterator[ScriptedKraken]:
    """Give a Kraken, and hold the connector to its rules at the end."""
    async with ScriptedKraken() as venue:
        yield venue
        nonces = [call.nonce for call in venue.calls if call.nonce >= 0]
        assert venue.faults == []
        assert nonces == sorted(set(nonces))


@pytest.fixture
def account(request) -> str:
    """Give the account of this test alone."""
    return request.node.name.removeprefix("test_").replace("_", "-")[:64]


Make = Callable[..., Connector]


@pytest.fixture
def connector(bus, kraken, account, tmp_path) -> Make:
    """Give a maker of connectors for the account."""

    def make(**settings: str) -> Connector:
        return Connector(
            PROGRAM, kraken, account, bus, tmp_path / "connector.log", **settings
        )

    return make


def parts(event: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Return some fields of an event."""
    return tuple(event[name] for name in names)


def wallets(events: list[dict[str, Any]], asset: str) -> list[tuple[Any, ...]]:
    """Return wallet, wallet_id, nature and balance of an asset's events."""
    return [
        parts(event, "wallet", "wallet_id", "nature", "balance")
        for event in events
        if event["asset"] == asset
    ]


def row(asset: str, figure: str) -> str:
    """Return a picture's row with a figure as it is."""
    return (
        f'{{"asset":"{asset}","balance":{figure},'
        f'"wallets":[{{"type":"spot","id":"main","balance":{figure}}}]}}'
    )


async def live(bus: Bus, kraken: ScriptedKraken, account: str) -> Connection:
    """Wait until the newest connection is live and return it."""
    connection = await kraken.connection(60)
    assert await bus.wait_state(account, "live")
    return connection


async def test_seed_picture_and_update(bus, kraken, account, connector):
    """What the documentation's own example says arrives digit for digit, with doubt."""

    async def greet(connection: Connection) -> None:
        await connection.ack()
        await connection.tell(SEED_SNAPSHOT)

    kraken.greeting = greet
    async with connector():
        connection = await live(bus, kraken, account)
        params = {**connection.subscribed["params"], "token": ""}
        await connection.tell(SEED_DEPOSIT)
        await kraken.connection()
        events = await bus.wait_events(account, 9)
    assert params == {
        "channel": "balances",
        "rebased": True,
        "snapshot": True,
        "token": "",
    }
    expected = [
        ("spot", "main", "BTC", D("1.2")),
        ("spot", "main", "MATIC", D(300)),
        ("earn", "flex", "MATIC", D(200)),
        ("spot", "main", "USD", D("80595.4943")),
    ]
    for index, (wallet, wallet_id, asset, balance) in enumerate(expected):
        event = dict(events[index])
        assert event.pop("event_id")
        assert event.pop("snapshot_id") == events[0]["snapshot_id"]
        assert event.pop("epoch") == events[0]["epoch"]
        assert event.pop("received_at").tzinfo is UTC
        assert event == {
            "venue": "kraken",
            "account": account,
            "subaccount": "",
            "feed": "ws",
            "wallet": wallet,
            "wallet_id": wallet_id,
            "nature": "asset",
            "asset": asset,
            "venue_asset": asset,
            "asset_class": "currency",
            "network": "",
            "kind": "snapshot",
            "balance": balance,
            "available": None,
            "delta": None,
            "reported_balance": balance,
            "balance_scope": "wallet",
            "movements": [],
            "venue_time": None,
            "sequence": 1,
            "snapshot_index": index,
            "snapshot_size": 4,
            "attributes": {},
        }
    occurred_at = datetime(2023, 9, 22, 10, 23, 42, 925034, tzinfo=UTC)
    deposit = events[4]
    assert parts(
        deposit, "kind", "balance", "delta", "reported_balance", "balance_scope"
    ) == ("update", D("1.21"), D("0.01"), D("0.02"), "unknown")
    assert parts(deposit, "snapshot_id", "snapshot_index", "snapshot_size") == (
        (None,) * 3
    )
    assert deposit["venue_time"] == occurred_at
    assert deposit["movements"] == [
        {
            "movement_id": "ADKKFF-WEA5A-CNUBHG",
            "reference_id": "AGBWUJRU-LAREZ-W3UFAN",
            "type": "deposit",
            "subtype": None,
            "category": "deposit",
            "amount": D("0.01"),
            "fee": D(0),
            "change": D("0.01"),
            "occurred_at": occurred_at,
            "occurred_at_text": "2023-09-22T10:23:42.925034Z",
            "attributes": {},
        }
    ]
    assert [event["kind"] for event in events[5:]] == ["snapshot"] * 4
    assert events[5]["epoch"] > events[0]["epoch"]
    assert "stale" in bus.states(account)
    assert len({event["event_id"] for event in events}) == 9


async def test_records_lie_as_the_contract_says(bus, kraken, account, connector):
    """Keys, one partition, whole frames, states and silence about secrets all hold."""
    odd = row("A|B", "2").replace('"id":"main"', '"id":"x/y%"')
    kraken.picture = [odd]
    async with connector() as process:
        connection = await live(bus, kraken, account)
        await connection.tell(update([line("BTC", "1", "1", "L1")], 2))
        await bus.wait_events(account, 2)
        code = await process.stop()
        assert await bus.wait_state(account, "stopped")
        log = process.said()
    assert code == 0
    told = {
        topic: bus.of(account, topic)
        for topic in ("events", "latest", "frames", "status", "dead-letters")
    }
    assert [record.key for record in told["events"]] == [
        f"kraken|{account}||unspecified/spot:x%2Fy%25|A%7CB",
        f"kraken|{account}||spot/main|BTC",
    ]
    assert [r.raw for r in told["events"]] == [r.raw for r in told["latest"]]
    assert {record.key for record in told["frames"]} == {f"kraken|{account}"}
    assert {record.key for record in told["status"]} == {f"kraken|{account}|ws"}
    assert len({r.partition for records in told.values() for r in records}) == 1
    frames = [record.value for record in told["frames"]]
    assert [frame["index"] for frame in frames] == list(range(len(frames)))
    assert {frame["source"] for frame in frames} == {"stream"}
    assert snapshot(kraken.picture).encode() in [frame["payload"] for frame in frames]
    assert not [frame for frame in frames if b"heartbeat" in frame["payload"]]
    raw = b"".join(record.raw for records in told.values() for record in records)
    for secret in (API_SECRET, *kraken.tokens):
        assert secret not in log
        assert secret.encode() not in raw


async def test_wallets_and_words(bus, kraken, account, connector):
    """Wallets are told as sent; what we do not know is kept verbatim."""
    kraken.picture = [
        picture_row("BTC", ("spot", "main", "1.5"), ("earn", "liquid", "0.5")),
        '{"asset":"MISSING","balance":3}',
        '{"asset":"EMPTY","balance":4,"wallets":[]}',
        '{"asset":"NULL","balance":5,"wallets":null}',
        picture_row("UNLIKE", ("spot", "main", "7"), total="10.5"),
        (
            '{"asset":"ODD","asset_class":"fund","balance":2,"hold":0.10,"wallets":'
            '[{"type":"vault","id":"cold","balance":2,"more":{"b":[1.10,null]}}]}'
        ),
        picture_row("ZERO", ("spot", "main", "0.0")),
    ]
    async with connector():
        await live(bus, kraken, account)
        events = await bus.wait_events(account, 8)
    assert wallets(events, "BTC") == [
        ("spot", "main", "asset", D("1.5")),
        ("earn", "liquid", "asset", D("0.5")),
    ]
    for asset, balance in (("MISSING", 3), ("EMPTY", 4), ("NULL", 5)):
        assert wallets(events, asset) == [("unspecified", "", "asset", D(balance))]
    assert wallets(events, "UNLIKE") == [("spot", "main", "asset", D(7))]
    assert D(events[5]["attributes"]["account_balance"]) == D("10.5")
    assert wallets(events, "ODD") == [("unspecified", "vault:cold", "unknown", D(2))]
    assert events[6]["asset_class"] == "fund"
    assert events[6]["attributes"] == {"hold": "0.10", "more": '{"b":[1.10,null]}'}
    assert wallets(events, "ZERO") == [("spot", "main", "asset", D(0))]


async def test_scope_is_found_out(bus, kraken, account, connector):
    """An update's figure may be the wallet's or the account's; the balance is right."""
    kraken.picture = [
        picture_row("BTC", ("spot", "main", "1.5"), ("earn", "liquid", "0.5")),
        picture_row("USD", ("spot", "main", "10")),
    ]
    told = [
        line("BTC", "0.1", "1.6", "L1"),
        line("BTC", "0.1", "2.2", "L2"),
        line("BTC", "-0.2", "2.0", "L3", wallet=("earn", "liquid")),
        line("BTC", "1", "2.695", "L4", fee="0.005"),
        line("BTC", "1", "1", "L5", wallet=("earn", "bonded")),
        line("USD", "-11", "-1", "L6", wallet=None),
        line("NEW", "5", "5", "L7", wallet=None),
    ]
    async with connector():
        connection = await live(bus, kraken, account)
        for sequence, entry in enumerate(told, start=2):
            await connection.tell(update([entry], sequence))
        events = (await bus.wait_events(account, 10))[3:]
        assert not connection.over.is_set()
        await connection.tell(update([line("BTC", "1", "9", "L8", wallet=None)], 9))
        await kraken.connection()
    found = [
        parts(event, "wallet", "wallet_id", "balance", "delta", "balance_scope")
        for event in events[:7]
    ]
    assert found == [
        ("spot", "main", D("1.6"), D("0.1"), "wallet"),
        ("spot", "main", D("1.7"), D("0.1"), "account"),
        ("earn", "liquid", D("0.3"), D("-0.2"), "account"),
        ("spot", "main", D("2.695"), D("0.995"), "wallet"),
        ("earn", "bonded", D(1), D(1), "wallet"),
        ("spot", "main", D(-1), D(-11), "wallet"),
        ("unspecified", "", D(5), D(5), "wallet"),
    ]
    assert [event["event_id"] for event in events[:2]] == [
        f"kraken|{account}||L1",
        f"kraken|{account}||L2",
    ]
    (letter,) = bus.of(account, "dead-letters")
    assert b'"L8"' in letter.value["payload"]
    assert (letter.key, letter.value["feed"]) == (f"kraken|{account}", "ws")


async def test_figures_are_exact_or_refused(bus, kraken, account, connector):
    """Of many figures in one picture each is told exactly or named as unreadable."""
    kraken.picture = [row(name, "3") for name in FIGURES]
    async with connector():
        connection = await live(bus, kraken, account)
        kraken.picture = [row(name, figure) for name, (figure, _) in FIGURES.items()]
        connection.abort()
        status = await bus.wait_state(account, "degraded")
        connections = len(kraken.all)
        await asyncio.sleep(3)
        assert len(kraken.all) == connections
    epoch = max(event["epoch"] for event in bus.events(account))
    found = {e["asset"]: e for e in bus.events(account) if e["epoch"] == epoch}
    readable = {name: D(text) for name, (_, text) in FIGURES.items() if text}
    assert {name: event["balance"] for name, event in found.items()} == readable
    assert {event["kind"] for event in found.values()} == {"snapshot"}
    assert {event["snapshot_size"] for event in found.values()} == {len(readable)}
    assert not found["MINUSZERO"]["balance"].is_signed()
    assert "D19" in status["reason"]
    letters = bus.of(account, "dead-letters")
    assert letters[-1].value["payload_size"] == len(snapshot(kraken.picture))


@pytest.mark.parametrize("what", UNREADABLE)
async def test_unreadable_frame(bus, kraken, account, connector, what):
    """A frame that cannot be read is kept as a dead letter and a picture is taken."""
    account = account.replace(" ", "-").replace("[", ".").replace("]", "")
    frame = UNREADABLE[what]
    async with connector(ACCOUNT=account):
        connection = await live(bus, kraken, account)
        await connection.tell(frame)
        await kraken.connection()
        assert await bus.wait_state(account, "live")
    body = frame if isinstance(frame, bytes) else frame.encode()
    (letter,) = bus.of(account, "dead-letters")
    assert parts(letter.value, "service", "feed", "payload", "payload_size") == (
        "connector",
        "ws",
        body,
        len(body),
    )
    kept = [record.value for record in bus.of(account, "frames")]
    place = parts(letter.value, "epoch", "index")
    assert [f["payload"] for f in kept if parts(f, "epoch", "index") == place] == [body]
    assert bus.states(account).count("live") == 2
    assert {event["kind"] for event in bus.events(account)} == {"snapshot"}


async def test_sequence(bus, kraken, account, connector):
    """A frame told twice counts once; a missing one makes the feed stale."""
    async with connector():
        connection = await live(bus, kraken, account)
        for entry, sequence in (("L1", 2), ("L1", 2), ("L2", 3)):
            balance = "2" if entry == "L1" else "3"
            frame = update([line("BTC", "1", balance, entry)], sequence)
            await connection.tell(frame)
        events = await bus.wait_events(account, 3)
        await connection.tell(update([line("BTC", "1", "5", "L4")], 5))
        await connection.tell(update([line("BTC", "1", "4", "L3")], 4))
        kraken.picture = [picture_row("BTC", ("spot", "main", "5"))]
        await kraken.connection()
        events = await bus.wait_events(account, 4)
        assert await bus.wait_state(account, "live")
    assert [event["balance"] for event in events] == [D(1), D(2), D(3), D(5)]
    came_back = ["connecting", "syncing", "live"]
    assert bus.states(account)[:7] == [*came_back, "stale", *came_back]


async def test_what_vanished_is_absent(bus, kraken, account, connector):
    """A balance missing in a new picture is told as 0, over a kill -9 too."""

    def assets(*names: str) -> list[str]:
        return [picture_row(name, ("spot", "main", "1")) for name in names]

    kraken.picture = assets("BTC", "ETH", "USD")
    first = await connector().start()
    connection = await live(bus, kraken, account)
    kraken.picture = assets("BTC", "USD")
    await connection.close(1001)
    await kraken.connection()
    events = await bus.wait_events(account, 6)
    assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
    kraken.picture = assets("USD")
    async with connector():
        await kraken.connection()
        events = await bus.wait_events(account, 8)
    found = [
        parts(e, "kind", "asset", "balance", "snapshot_index", "snapshot_size")
        for e in events[3:]
    ]
    assert found == [
        ("snapshot", "BTC", D(1), 0, 3),
        ("snapshot", "USD", D(1), 1, 3),
        ("absent", "ETH", D(0), 2, 3),
        ("snapshot", "USD", D(1), 0, 2),
        ("absent", "BTC", D(0), 1, 2),
    ]
    epochs = [event["epoch"] for event in events]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 3
    assert len({event["event_id"] for event in events}) == 8


async def test_silence_and_pause(bus, kraken, account, connector):
    """A silent venue is left, not too soon; a paused process takes a new picture."""
    async with connector() as process:
        connection = await live(bus, kraken, account)
        connection.beating = connection.ponging = False
        started_s = time.monotonic()
        await asyncio.wait_for(connection.over.wait(), 60)
        assert time.monotonic() - started_s > 3
        await live(bus, kraken, account)
        process.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(6)
        kraken.picture = [picture_row("BTC", ("spot", "main", "7"))]
        process.process.send_signal(signal.SIGCONT)
        await kraken.connection()
        events = await bus.wait_events(account, 3)
    assert [event["balance"] for event in events] == [D(1), D(1), D(7)]


async def test_maintenance(bus, kraken, account, connector):
    """Maintenance is told as such, and its end brings a new picture."""
    async with connector():
        connection = await live(bus, kraken, account)
        await connection.status("maintenance")
        assert await bus.wait_state(account, "maintenance")
        await connection.status("online", extra=f',"connection_id":{2**64 - 1}')
        await kraken.connection()
        assert await bus.wait_state(account, "live")
    assert len(bus.events(account)) == 2


async def test_users_all(bus, kraken, account, connector):
    """With all users there is no picture: each user's entries are told as they come."""

    async def greet(connection: Connection) -> None:
        await connection.ack(result={"channel": "balances"})

    def of_user(user: str, entry: str) -> str:
        return entry.replace('"ledger_id"', f'"user":"{user}","ledger_id"')

    kraken.greeting = greet
    async with connector(KRAKEN_USERS_ALL="true"):
        connection = await live(bus, kraken, account)
        status = await bus.wait_state(account, "live")
        entries = [
            of_user("A1", line("BTC", "1", "10", "L1")),
            of_user("B/2", line("BTC", "1", "20", "L1")),
            of_user("A1", line("BTC", "1", "99", "L2")),
        ]
        for sequence, entry in enumerate(entries, start=57):
            await connection.tell(update([entry], sequence))
        events = await bus.wait_events(account, 3)
    assert "snapshot" not in connection.subscribed["params"]
    assert connection.subscribed["params"]["users"] == "all"
    assert status["confirmed_at"] is None
    assert [parts(event, "subaccount", "balance") for event in events] == [
        ("A1", D(10)),
        ("B/2", D(20)),
        ("A1", D(11)),
    ]
    assert {event["balance_scope"] for event in events} == {"unknown"}
    assert len({event["event_id"] for event in events}) == 3
    assert len(kraken.all) == 1


async def test_rest_as_primary_feed(bus, kraken, account, connector):
    """Polls tell a picture, then changes; no bad answer is read as no balances."""
    internal = {"XXBT": {"altname": "XBT"}, "ZARS": {"altname": "ARS"}}
    display = {"BTC": {"altname": "XBT"}, "ARS": {"altname": "ARS"}}
    kraken.answer("Assets0", result(internal))
    kraken.answer("Assets1", result(display))
    codes = {
        "XXBT": ("BTC", "spot", "main", "currency"),
        "XBT.F": ("BTC", "earn", "liquid", "currency"),
        "DOT28.S": ("DOT", "earn", "28.S", "currency"),
        "ETH2.S": ("ETH2", "earn", "S", "currency"),
        "ETH2": ("ETH2", "spot", "main", "currency"),
        "USD.M": ("USD", "earn", "M", "currency"),
        "ZUSD.HOLD": ("USD", "hold", "HOLD", "currency"),
        "AAPLx.T": ("AAPLx", "spot", "main", "tokenized_asset"),
        "XTZ": ("XTZ", "spot", "main", "currency"),
        "ZRX": ("ZRX", "spot", "main", "currency"),
        "ZARS": ("ARS", "spot", "main", "currency"),
        "NEWCOIN": ("NEWCOIN", "spot", "main", "currency"),
    }
    first = {code: f"{number}.5000000000" for number, code in enumerate(codes)}
    later = {**first, "XXBT": "2.0000000001", "FRESH": "4"}
    del later["DOT28.S"]
    kraken.answer("Balance", result(first))
    async with connector(FEEDS="rest", POLL_INTERVAL_S="1"):
        events = await bus.wait_events(account, len(first))
        kraken.answer(
            "Balance",
            result({"ZUSD": "9"}, errors=("EService:Busy",)),
            Answer(b"<html>down</html>", content_type="text/html"),
            Answer(b'{"error":[]}'),
            result(later, errors=("WGeneral:Careful",)),
        )
        changes = (await bus.wait_events(account, len(first) + 3, 30))[len(first) :]
        assert await bus.wait_state(account, "live", feed="rest")
    told = {
        event["venue_asset"]: parts(
            event, "asset", "wallet", "wallet_id", "asset_class"
        )
        for event in events
    }
    assert told == codes
    assert {e["venue_asset"]: e["balance"] for e in events} == {
        code: D(text) for code, text in first.items()
    }
    assert {parts(e, "kind", "feed", "snapshot_size") for e in events} == {
        ("snapshot", "rest", len(first))
    }
    found = {e["venue_asset"]: parts(e, "kind", "balance", "delta") for e in changes}
    assert found == {
        "XXBT": ("update", D("2.0000000001"), D("1.5000000001")),
        "FRESH": ("update", D(4), D(4)),
        "DOT28.S": ("absent", D(0), D("-2.5")),
    }
    assert {event["snapshot_id"] for event in changes} == {None}
    frames = [record.value for record in bus.of(account, "frames")]
    assert [frame["index"] for frame in frames] == list(range(len(frames)))
    assert {frame["source"] for frame in frames} == {"Assets", "Balance"}


@pytest.mark.parametrize(
    ("where", "permission"),
    [("token", "WebSocket interface - On"), ("balance", "Query Funds")],
)
async def test_refused(bus, kraken, account, connector, where, permission):
    """A missing permission is published, named on one line, and ends with exit 3."""
    account = f"refused-{where}"
    refusal = failure("EGeneral:Permission denied")
    name, feed = {
        "token": ("GetWebSocketsToken", "ws"),
        "balance": ("Balance", "rest"),
    }[where]
    kraken.answer(name, refusal)
    process = await connector(ACCOUNT=account, FEEDS=feed).start()
    assert await process.ended() == 3
    status = await bus.wait_state(account, "refused", feed=feed)
    assert permission in status["reason"]
    assert [call.path for call in kraken.calls].count(name) == 1
    last = json.loads(process.said().splitlines()[-1])
    assert permission in last["error"]
    assert "Traceback" not in process.said()


async def test_unready_while_stale(bus, kraken, account, connector):
    """While Kraken cannot be reached, the process is healthy but not ready."""
    async with connector() as process:
        await live(bus, kraken, account)
        kraken.handshake = [503] * 20
        kraken.all[-1].abort()
        assert await bus.wait_state(account, "stale")
        codes = []
        async with aiohttp.ClientSession() as session:
            for page in ("healthz", "readyz", "metrics"):
                url = f"http://127.0.0.1:{process.http_port}/{page}"
                async with session.get(url) as answer:
                    codes.append(answer.status)
        kraken.handshake = []
        await live(bus, kraken, account)
    assert codes == [200, 503, 200]
