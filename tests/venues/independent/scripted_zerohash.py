"""A Zero Hash (or NDAX) that says what a script says, and a connector that hears it.

Written from the public contract and the venue's documentation alone: it shares no code
with the connector's venue or the stand-in, so it cannot agree with their mistakes.
Nothing here behaves by itself but what the documentation promises: each message is
checked for key, passphrase, fresh timestamp and signature, and a ping has its pong.
"""

import asyncio
import base64
import hmac
import json
import re
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from balance_connector.rest import RestClient
from balance_connector.venue import Response

KEY, PASSPHRASE = "scripted-key", "four words, one phrase ₹"
SECRET = "2mC4ZvVd4goRkuJm+rjr9byUiaUW1b6tVN4xy9QXNSE="
STALE_S = 60
"""A timestamp further off than this is refused, in seconds."""
PINGED_S_MAX = 20
"""The venue closes a connection without a ping for this long, in seconds."""


SEED_PICTURE = b"""{
    "messageType": "initial-balance",
    "body": [
        {
            "account_id": "12345",
            "participant_code": "ABC123",
            "account_group": "XXX456",
            "account_label": "general",
            "account_type": "available",
            "asset": "BTC",
            "balance": "1.00",
            "run_id": 1,
            "run_type": "unknown"
        }
    ]
}"""
SEED_UPDATE = b"""{
    "messageType": "balance-updated",
    "body": {
        "participant_code": "ABC123",
        "account_group": "XXX456",
        "account_label": "general",
        "account_type": "available",
        "asset": "BTC",
        "balance": "1.01",
        "run_id": 1,
        "run_type": "settlement",
        "movements": [
            {
                "movement_timestamp": "2022-11-04T02:50:16.202915702Z",
                "movement_id": "EFG456",
                "movement_type": "final_settlement",
                "deposit_reference_id": "deposit 123",
                "change": "123.123",
                "source": "deposit 123 sending address",
                "received_address": "deposit 123 received address"
            }
        ],
        "run_timestamp": "2022-11-04T02:51:16.202911633Z"
    }
}"""


def signed(text, secret=SECRET):
    """Return the signature of a text as the documentation's helper makes it."""
    mac = hmac.new(base64.b64decode(secret), text.encode(), "sha256")
    return base64.b64encode(mac.digest()).decode()


def compact(value):
    """Return JSON as a client signs it: no white space, nothing escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def bare(text):
    """Mark a text that is to stand in JSON as it is, without quotes."""
    return f"\0{text}\0"


def told(value):
    """Return JSON as a venue sends it, `bare` texts as they are."""
    text = json.dumps(value, ensure_ascii=False)
    bared = r'"\\u0000((?:[^"\\]|\\.)*?)\\u0000"'
    return re.sub(bared, lambda found: json.loads(f'"{found[1]}"'), text).encode()


def row(asset="BTC", balance="1.00", kind="available", **others):
    """Return a row of a picture; a None leaves its field out."""
    return _without(
        {
            "account_id": f"id-{asset}-{kind}",
            "participant_code": "ABC123",
            "account_group": "XXX456",
            "account_label": "general",
            "account_type": kind,
            "asset": asset,
            "balance": balance,
            "run_id": 1,
            "run_type": "unknown",
            **others,
        }
    )


def movement(change, **others):
    """Return a movement; a None leaves its field out."""
    return _without(
        {
            "movement_timestamp": "2026-01-01T00:00:01.202915702Z",
            "movement_id": "M1",
            "movement_type": "deposit",
            "change": change,
            **others,
        }
    )


def change(asset, balance, run, *movements, kind="available", second=1, **others):
    """Return the body of an update; it happened at a second of the first minute."""
    return _without(
        {
            **row(asset, balance, kind, account_id=None),
            "run_id": run,
            "run_type": "deposit",
            "movements": list(movements),
            "run_timestamp": f"2026-01-01T00:00:{second:02d}.202911633Z",
            **others,
        }
    )


def _without(fields):
    return {name: value for name, value in fields.items() if value is not None}


def picture(*rows):
    """Return the frame of a picture."""
    return told({"messageType": "initial-balance", "body": list(rows)})


def updated(body):
    """Return the frame of an update."""
    return told({"messageType": "balance-updated", "body": body})


class Line:
    """One connection: what the client sent, and what it is told."""

    def __init__(self, venue):
        self.venue, self.heard, self.aborted = venue, [], False
        self.transport = self
        self.opened_s = self.pinged_s = venue.clock.monotonic()
        self._frames = asyncio.Queue()

    def say(self, *frames):
        """Tell frames, in order."""
        for told_frame in frames:
            self._frames.put_nowait(told_frame)

    def close(self, code=1006, reason=""):
        """Close after all that was told; 1006 is a cut without a word."""
        close = None if code == 1006 else Close(code, reason)
        self._frames.put_nowait(ConnectionClosedError(close, None))

    def abort(self):
        """Take note that the client broke off."""
        self.aborted = True
        self.close()

    async def recv(self, decode):
        """Return the next frame to the client."""
        frame = await self._frames.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def ping(self):
        """Leave a ping of the protocol unanswered."""
        return asyncio.get_running_loop().create_future()

    async def send(self, message, *, text=None):
        """Hear the client."""
        assert text
        self.heard.append((self.venue.clock.monotonic(), message))
        self.venue.hear(self, json.loads(message), message.decode())

    def all(self, kind):
        """Return (second, message) of one type, in order."""
        heard = [(at, json.loads(message)) for at, message in self.heard]
        return [(at, said) for at, said in heard if said["messageType"] == kind]


class ScriptedVenue(RestClient):
    """The venue, and the way to its answers."""

    def __init__(self, clock, prefix="X-SCX-"):
        super().__init__("http://scripted", clock)
        self.clock, self.prefix = clock, prefix
        self.greeting = picture(row())
        self.ponging, self.signs_pings, self.signs_message = True, True, False
        self.lines, self.calls, self.faults = [], [], []
        self.answers = {"/accounts": [accounts()]}

    @asynccontextmanager
    async def connect(self, url):
        """Open a connection."""
        line = Line(self)
        self.lines.append(line)
        watching = asyncio.create_task(self._watch(line))
        try:
            yield line
        finally:
            watching.cancel()

    async def _watch(self, line):
        while self.clock.monotonic() - line.pinged_s <= PINGED_S_MAX:
            await self.clock.sleep(0.5)
        self.faults.append("no ping for 20 s")
        line.close(1008, "no ping")

    def hear(self, line, said, text):
        """Check a message and answer it as documented."""
        kind = said["messageType"]
        if kind == "ping":
            line.pinged_s = self.clock.monotonic()
        if kind != "ping" or self.signs_pings:
            self._check(said, text)
        if kind == "ping" and self.ponging:
            line.say(b'{"messageType":"pong"}')
        if kind == "subscribe":
            if said.get("topic", "balances") != "balances":
                self.faults.append(f"topic of {text}")
            greeting = self.greeting(line) if callable(self.greeting) else self.greeting
            if greeting is not None:
                line.say(greeting)

    def _check(self, said, text):
        body = compact(said.get("body", {}))
        if "body" in said and body not in text:
            self.faults.append(f"not compact: {text}")
        if self.signs_message:
            body = compact({k: v for k, v in said.items() if k != "signature"})
        if said.get("key") != KEY or said.get("passphrase") != PASSPHRASE:
            self.faults.append(f"key or passphrase of {text}")
        if not isinstance(said.get("timestamp"), str):
            self.faults.append(f"timestamp is no text: {text}")
        self._check_time(said["timestamp"])
        if said["signature"] != signed(f"{said['timestamp']}POST/{body}"):
            self.faults.append(f"signature of {text}")

    def _check_time(self, timestamp):
        now = int(self.clock.now().timestamp())
        if not timestamp.isdigit() or abs(int(timestamp) - now) > STALE_S:
            self.faults.append(f"timestamp {timestamp} at {now}")

    async def send(self, request):
        """Check a call and answer it: each answer once, the last for ever."""
        self.calls.append(request.path)
        own = {name.upper(): value for name, value in request.headers.items()}
        timestamp = own.get(f"{self.prefix}TIMESTAMP", "")
        self._check_time(timestamp)
        text = f"{timestamp}{request.method}{request.path}{{}}"
        if own.get(f"{self.prefix}SIGNED") != signed(text) or request.body:
            self.faults.append(f"signature of {request.path}")
        if own.get(f"{self.prefix}API-KEY") != KEY:
            self.faults.append("key of a call")
        if own.get(f"{self.prefix}PASSPHRASE", "").encode() not in {
            PASSPHRASE.encode(),
            PASSPHRASE.encode().decode("latin-1").encode(),
        }:
            self.faults.append("passphrase of a call")
        path, _, query = request.path.partition("?")
        found = self.answers.get(path, [])
        if callable(found):
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            return Response(*found(asked))
        if not found:
            return Response(404, b'{"error":"not found"}')
        return Response(*(found.pop(0) if len(found) > 1 else found[0]))


def account(asset="BTC", balance="1.00", kind="available", **others):
    """Return a row of ``GET /accounts``."""
    return _without(
        {
            "asset": asset,
            "account_owner": "ABC123",
            "account_type": kind,
            "account_group": "XXX456",
            "account_label": "general",
            "balance": balance,
            "account_id": f"id-{asset}-{kind}",
            "last_update": 1767225600123,
            **others,
        }
    )


def accounts(*rows, page=1, pages=1):
    """Return an answer of ``GET /accounts``."""
    return 200, told({"message": list(rows), "page": page, "total_pages": pages})
