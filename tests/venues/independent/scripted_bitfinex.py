"""A Bitfinex that plays a script, in memory and in virtual time.

Written from the public contract and Bitfinex's documentation alone: it shares no code
with the connector or the simulator, so it cannot agree with their mistakes. It checks
signatures, nonces and limits itself, and notes what the real venue would not like in
`faults`. Frames are what a test says, as text, digit for digit; the numbers behind
them are added by the flags that the client was granted.
"""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from balance_connector.rest import RestClient
from balance_connector.venue import Request, Response
from balance_shared.errors import VenueUnavailable
from balance_shared.testing import VirtualClock

API_KEY, API_SECRET = (
    "scripted-public-key",
    "scripted secret, as UTF-8".replace(" ", "_"),
)

TIMESTAMP, SEQ_ALL = 32768, 65536

SYM = [
    ["UST", "USDt"],
    ["USTF0", "USDt0"],
    ["UDC", "USDC"],
    ["EUT", "EURt"],
    ["WBT", "WBTC"],
]
UNDL = [["USTF0", "UST"], ["BTCF0", "BTC"], ["ETHF0", "ETH"]]


def signature(text: str) -> str:
    """Return what Bitfinex expects as the signature of a text."""
    return hmac.new(API_SECRET.encode(), text.encode(), hashlib.sha384).hexdigest()


def row(wallet: str, code: str, balance: str, *more: str) -> str:
    """Return a wallet array's text: interest 0 and nulls unless more is said."""
    rest = more or ("0", "null", "null", "null")
    return f'["{wallet}","{code}",{",".join((balance, *rest))}]'


def auth_ok(caps: Any = None) -> dict[str, Any]:
    """Return the answer to a good login."""
    names = ("orders", "account", "funding", "history", "wallets", "positions")
    granted = {name: {"read": 1, "write": 0} for name in names}
    answer = {"event": "auth", "status": "OK", "chanId": 0, "userId": 4711}
    return answer | {"auth_id": "c2", "caps": granted if caps is None else caps}


class Connection:
    """One client of the stream."""

    def __init__(self, venue: "ScriptedBitfinex") -> None:
        self.venue = venue
        self.flags = self.number = self.account_number = 0
        self.heard: list[Any] = []
        self.open = True
        self.beating = True
        self.aborted = False
        self._frames: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    # What the test says.

    def say(self, frame: str | bytes | dict[str, Any]) -> None:
        """Put a frame on the wire as it is."""
        if isinstance(frame, dict):
            frame = json.dumps(frame)
        octets = frame.encode() if isinstance(frame, str) else frame
        self._frames.put_nowait(octets)

    def tell(self, kind: str, payload: str, channel: int = 0) -> None:
        """Send an array frame with the numbers that the flags ask for."""
        self.account_number += self.account_number > 0
        told = f'"{kind}",' if kind else ""
        numbers = [self.account_number] if channel == 0 else []
        self.say(f"[{channel},{told}{payload}{self.tail(*numbers)}]")

    def beat(self, channel: int = 0) -> None:
        """Send a heartbeat."""
        self.say(f'[{channel},"hb"{self.tail()}]')

    def tail(self, *numbers: int, skip: int = 0) -> str:
        """Return the text of the numbers at a frame's end; `skip` frames were lost."""
        self.number += 1 + skip
        told = [self.number, *numbers] if self.flags & SEQ_ALL else []
        told += [self.venue.millis()] if self.flags & TIMESTAMP else []
        return "".join(f",{number}" for number in told)

    def lose(self) -> None:
        """Have a frame got lost on its way."""
        self.number += 1

    def close(self, code: int = 1012) -> None:
        """Close with a code; 1006 is a line that went dead."""
        frame = None if code == 1006 else Close(code, "scripted")
        self.open = False
        self._frames.put_nowait(ConnectionClosedError(frame, None))

    # What the connector's runner needs of a socket.

    async def recv(self, decode: bool) -> bytes:
        """Return the next frame."""
        frame = await self._frames.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def ping(self) -> "asyncio.Future[float]":
        """Leave a ping of the protocol unanswered."""
        return asyncio.get_running_loop().create_future()

    async def send(self, message: bytes | str, *, text: bool | None = None) -> None:
        """Take a frame of the client."""
        if not self.open:
            raise ConnectionClosedError(None, None)
        told = json.loads(message)
        self.heard.append(told)
        self.venue.hear(self, told)

    @property
    def transport(self) -> "Connection":
        """Itself."""
        return self

    def abort(self) -> None:
        """Break off."""
        self.aborted = True
        self.close(1006)


@dataclass
class Call:
    """One REST request as it came in."""

    name: str
    body: dict[str, Any]
    at_s: float


Answer = Response | Exception | Callable[[Request], Response]


def answered(text: str, status: int = 200) -> Response:
    """Return a REST answer."""
    return Response(status, text.encode())


@dataclass
class ScriptedBitfinex:
    """One account at the venue.

    Attributes:
        wallets: (wallet, code) to balance, both as the venue's text.
        available: what a calculation would answer; a missing one is never answered.
        ledger: rows newest first, as text with the time.
        granted: which flags `conf` grants, None for a refusal.
        answers: REST endpoint to answers, one after the other, the last for ever.
    """

    clock: VirtualClock = field(default_factory=VirtualClock)
    wallets: dict[tuple[str, str], str] = field(default_factory=dict)
    available: dict[tuple[str, str], str] = field(default_factory=dict)
    ledger: list[tuple[int, str]] = field(default_factory=list)
    granted: int | None = TIMESTAMP | SEQ_ALL
    auth: list[Any] = field(default_factory=lambda: [auth_ok()])
    picture: Callable[[Connection], None] | None = None
    info: dict[str, Any] = field(
        default_factory=lambda: {
            "event": "info",
            "version": 2,
            "serverId": "9a1c7f7e-scripted",
            "platform": {"status": 1},
        }
    )
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    asked: list[tuple[float, str]] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    refusing: int = 0

    def __post_init__(self) -> None:
        self._nonces: dict[str, int] = {}
        self._connects: deque[float] = deque()

    def millis(self) -> int:
        """Return the venue's time."""
        now = self.clock.now()
        return int(now.timestamp()) * 1000 + now.microsecond // 1000

    @property
    def last(self) -> Connection:
        """The newest connection."""
        return self.connections[-1]

    # The stream.

    @asynccontextmanager
    async def connect(self, url: str):
        """Take a connection."""
        now = self.clock.monotonic()
        self._connects.append(now)
        if sum(now - at < 15 for at in self._connects) > 5:
            self.faults.append(f"more than 5 connections in 15 s at {now}")
        if self.refusing:
            self.refusing -= 1
            raise VenueUnavailable("HTTP 503")
        connection = Connection(self)
        self.connections.append(connection)
        connection.say(self.info)
        beating = asyncio.create_task(self._beat(connection))
        try:
            yield connection
        finally:
            connection.open = False
            beating.cancel()

    async def _beat(self, connection: Connection) -> None:
        while True:
            await self.clock.sleep(15)
            if connection.beating and connection.open:
                connection.beat()

    def hear(self, connection: Connection, told: Any) -> None:
        """Answer one frame of the client."""
        if isinstance(told, list):
            self._calculate(connection, told)
        elif told["event"] == "conf":
            if self.granted is None:
                connection.say({"event": "conf", "status": "FAILED", "flags": 0})
                return
            connection.flags = told["flags"] & self.granted
            connection.say({"event": "conf", "status": "OK", "flags": connection.flags})
        elif told["event"] == "ping":
            pong = {"event": "pong", "ts": self.millis()}
            connection.say(pong | {"cid": told.get("cid")})
        elif told["event"] == "auth":
            self._login(connection, told)
        else:
            self.faults.append(f"sent {told}")

    def _login(self, connection: Connection, told: dict[str, Any]) -> None:
        if "dms" in told:
            self.faults.append("dms would cancel the customer's orders")
        nonce = int(told["authNonce"])
        payload = f"AUTH{told['authNonce']}"
        if told["apiKey"] != API_KEY or told["authPayload"] != payload:
            self.faults.append("key or payload")
        if told["authSig"] != signature(payload):
            self.faults.append("bad signature on the stream")
        if not self._fresh(nonce, told["apiKey"]):
            failed = {"event": "auth", "status": "FAILED", "chanId": 0}
            connection.say(failed | {"code": 10114, "msg": "nonce: small"})
            return
        answer = self.auth.pop(0) if len(self.auth) > 1 else self.auth[0]
        connection.say(answer)
        if isinstance(answer, dict) and answer.get("status") == "OK":
            (self.picture or self.tell_picture)(connection)

    def tell_picture(self, connection: Connection) -> None:
        """Send the wallets as they are, with nothing calculated."""
        rows = [row(*pocket, balance) for pocket, balance in self.wallets.items()]
        connection.tell("ws", f"[{','.join(rows)}]")
        connection.account_number = 15214

    def _fresh(self, nonce: int, key: str) -> bool:
        fresh = self._nonces.get(key, 0) < nonce <= 9007199254740991
        if not fresh:
            self.faults.append(f"nonce {nonce} after {self._nonces.get(key)}")
        self._nonces[key] = max(nonce, self._nonces.get(key, 0))
        return fresh

    def _calculate(self, connection: Connection, told: list[Any]) -> None:
        now = self.clock.monotonic()
        if told[:3] != [0, "calc", None] or len(told) != 4 or len(told[3]) > 30:
            self.faults.append(f"sent {told}")
        for (name,) in told[3]:
            self.asked.append((now, name))
            _, wallet, code = name.split("_", 2)
            with suppress(KeyError):
                free = self.available[wallet, code]
                total = self.wallets[wallet, code]
                connection.tell(
                    "wu", row(wallet, code, total, "0", free, "null", "null")
                )
        if sum(now - at < 1 for at, _ in self.asked) > 8:
            self.faults.append(f"more than 8 calculations a second at {now}")

    def change(self, wallet: str, code: str, balance: str, *more: str) -> None:
        """Change a balance and tell it."""
        self.wallets[wallet, code] = balance
        if self.connections and self.last.open:
            self.last.tell("wu", row(wallet, code, balance, *more))

    def book(
        self, number: int, wallet: str, code: str, amount: str, text: str = ""
    ) -> None:
        """Write a ledger line of now: the balance afterwards is the wallet's."""
        balance = self.wallets[wallet, code]
        told = json.dumps(text or "Transfer")
        place, at = f'{number},"{code}","{wallet}"', self.millis()
        line = f"[{place},{at},null,{amount},{balance},null,{told}]"
        self.ledger.insert(0, (at, line))

    # REST.

    def answer(self, name: str, *answers: Answer) -> None:
        """Set what an endpoint answers: one after the other, the last for ever."""
        self.answers[name] = list(answers)

    def asked_for(self, name: str) -> list[Call]:
        """Return the calls of one endpoint."""
        return [call for call in self.calls if call.name == name]

    def respond(self, request: Request) -> Response:
        """Answer one REST call."""
        parts = request.path.split("?")[0].strip("/").split("/")
        name = "ledgers" if "ledgers" in parts else parts[-1]
        name = "conf" if "conf" in parts else name
        body = json.loads(request.body) if request.body else {}
        self.calls.append(Call(name, body, self.clock.monotonic()))
        refused = self._refusal(request) if "auth" in parts else None
        scripted = self.answers.get(name)
        if refused is not None:
            return refused
        if scripted:
            said = scripted.pop(0) if len(scripted) > 1 else scripted[0]
            if isinstance(said, Exception):
                raise said
            return said if isinstance(said, Response) else said(request)
        if name == "conf":
            maps = {"pub:map:currency:sym": SYM, "pub:map:currency:undl": UNDL}
            wanted = parts[-1].replace("%3A", ":").replace("%2C", ",").split(",")
            return answered(json.dumps([maps.get(want, []) for want in wanted]))
        if name == "wallets":
            return answered(f"[{','.join(self._polled())}]")
        if name == "ledgers":
            start, end = body.get("start", 0), body.get("end", 2**53)
            rows = [told for at, told in self.ledger if start <= at <= end]
            return answered(f"[{','.join(rows[: body.get('limit', 125)])}]")
        self.faults.append(f"asked for {request.path}")
        return answered('["error",10020,"path: invalid"]', 500)

    def _polled(self) -> list[str]:
        return [
            row(*pocket, balance, "0", self.available.get(pocket, "null"))
            for pocket, balance in self.wallets.items()
        ]

    def _refusal(self, request: Request) -> Response | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        nonce = headers["bfx-nonce"]
        text = f"/api{request.path}{nonce}{request.body.decode()}"
        if headers["bfx-signature"] != signature(text):
            self.faults.append("bad signature on a call")
            return answered('["error",10100,"apikey: digest invalid"]', 500)
        if not self._fresh(int(nonce), headers["bfx-apikey"]):
            return answered('["error",10114,"nonce: small"]', 500)
        return None


class ScriptedRest(RestClient):
    """Calls to a scripted venue."""

    def __init__(self, venue: ScriptedBitfinex) -> None:
        super().__init__("http://scripted", venue.clock)
        self._venue = venue

    async def send(self, request: Request) -> Response:
        """Let the venue answer; an error is raised as the network would."""
        await asyncio.sleep(0.01)
        return self._venue.respond(request)


def digits(number: Decimal | None) -> str | None:
    """Return a number as plain text without zeros at its end."""
    if number is None:
        return None
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
