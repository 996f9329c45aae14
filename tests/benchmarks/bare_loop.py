"""What a connector costs at least: receive, decode, encode, produce; nothing checked.

Run as a process: ``python bare_loop.py MODE KAFKA WS_URL UPDATES PREFIX``. MODE is
``one`` (events only), ``three`` (events, latest, frames) or ``awaited`` (events, each
acknowledgement awaited, as peers do). Prints the seconds from the first update to the
last acknowledgement.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import fastavro
import msgspec
from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import connect

from balance_schemas.codec import schema_text


class Row(msgspec.Struct):
    """An update's entry."""

    ledger_id: str
    ref_id: str
    timestamp: str
    type: str
    asset: str
    asset_class: str
    category: str
    wallet_type: str
    wallet_id: str
    amount: Decimal
    fee: Decimal
    balance: Decimal


class Frame(msgspec.Struct):
    """An update."""

    channel: str
    type: str
    data: list[Row]
    sequence: int


EVENT = fastavro.parse_schema(msgspec.json.decode(schema_text("BalanceEvent")))
RAW = fastavro.parse_schema(msgspec.json.decode(schema_text("RawFrame")))
HEADER = b"\0\0\0\0\1"


def event(row: Row, sequence: int, now: datetime) -> dict:
    """Return an event as a plain dict, with the delta and nothing checked."""
    return {
        "event_id": row.ledger_id,
        "venue": "kraken",
        "account": "bare",
        "subaccount": "",
        "feed": "ws",
        "wallet": row.wallet_type,
        "wallet_id": row.wallet_id,
        "nature": "asset",
        "asset": row.asset,
        "venue_asset": row.asset,
        "asset_class": row.asset_class,
        "network": "",
        "kind": "update",
        "balance": row.balance,
        "available": None,
        "delta": row.amount - row.fee,
        "reported_balance": row.balance,
        "balance_scope": "wallet",
        "movements": [
            {
                "movement_id": row.ledger_id,
                "reference_id": row.ref_id,
                "type": row.type,
                "subtype": None,
                "category": row.category,
                "amount": row.amount,
                "fee": row.fee,
                "change": row.amount - row.fee,
                "occurred_at": now,
                "occurred_at_text": row.timestamp,
                "attributes": {},
            }
        ],
        "venue_time": datetime.fromisoformat(row.timestamp),
        "received_at": now,
        "epoch": 1,
        "sequence": sequence,
        "snapshot_id": None,
        "snapshot_index": None,
        "snapshot_size": None,
        "attributes": {},
    }


def raw(frame: bytes, index: int, now: datetime) -> dict:
    """Return a frame record as a plain dict."""
    return {
        "venue": "kraken",
        "account": "bare",
        "feed": "ws",
        "epoch": 1,
        "index": index,
        "received_at": now,
        "source": "stream",
        "part": 0,
        "parts": 1,
        "payload": frame,
    }


def encode(schema, datum: dict) -> bytes:
    """Return the framed Avro value."""
    buffer = BytesIO()
    buffer.write(HEADER)
    fastavro.schemaless_writer(buffer, schema, datum)
    return buffer.getvalue()


async def main(mode: str, kafka: str, url: str, updates: int, prefix: str) -> None:
    """Run the loop once."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=0
    )
    await producer.start()
    decoder = msgspec.json.Decoder(Frame)
    events, latest, frames = (
        f"{prefix}.{name}.v1" for name in ("events", "latest", "frames")
    )
    async with connect(url, max_size=2**26, compression=None) as socket:
        await socket.send('{"method":"subscribe"}')
        await socket.recv()
        await socket.recv()
        sent = []
        started = 0.0
        for index in range(updates):
            message = await socket.recv(decode=False)
            started = started or time.perf_counter()
            now = datetime.now(UTC)
            frame = decoder.decode(message)
            row = frame.data[0]
            key = f"kraken|bare||{row.wallet_type}/{row.wallet_id}|{row.asset}".encode()
            value = encode(EVENT, event(row, frame.sequence, now))
            if mode == "awaited":
                await producer.send_and_wait(events, value, key=key, partition=0)
                continue
            sent.append(await producer.send(events, value, key=key, partition=0))
            if mode == "three":
                sent.append(await producer.send(latest, value, key=key, partition=0))
                value = encode(RAW, raw(message, index, now))
                sent.append(await producer.send(frames, value, key=key, partition=0))
        await asyncio.gather(*sent)
        print(time.perf_counter() - started, flush=True)
    await producer.stop()


if __name__ == "__main__":
    mode, kafka, url, updates, prefix = sys.argv[1:6]
    asyncio.run(main(mode, kafka, url, int(updates), prefix))
