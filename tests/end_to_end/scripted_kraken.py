"""A Kraken that plays a script, and a reader that takes every record off the bus.

Written from the public contract and Kraken's documentation alone: it shares no code
with the connector or the simulator, so it cannot agree with their mistakes. Nothing
here behaves by itself: frames and answers are what a test says, as text, digit for
digit.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from fastavro import parse_schema, schemaless_reader

API_KEY = "scripted/public+key=="
API_SECRET = base64.b64encode(b"a scripted private key, 64 bytes" * 2).decode()


def picture_row(
    asset: str, *wallets: tuple[str, str, str], total: str | None = None
) -> str:
    """Return the text of a picture's row; wallets are (type, id, balance)."""
    if total is None:
        with localcontext(prec=60):
            total = format(sum((Decimal(w[2]) for w in wallets), Decimal(0)), "f")
    told = ",".join(
        f'{{"type":"{kind}","id":"{word}","balance":{balance}}}'
        for kind, word, balance in wallets
    )
    return (
        f'{{"asset":"{asset}","asset_class":"currency","balance":{total},'
        f'"wallets":[{told}]}}'
    )


def snapshot(rows: list[str], sequence: int | None = 1) -> str:
    """Return a picture frame of rows given as JSON texts."""
    tail = "" if sequence is None else f',"sequence":{sequence}'
    return f'{{"channel":"balances","type":"snapshot","data":[{",".join(rows)}]{tail}}}'


def line(
    asset: str,
    amount: str,
    balance: str,
    ledger_id: str,
    *,
    fee: str = "0.0",
    wallet: tuple[str, str] | None = ("spot", "main"),
    extra: str = "",
) -> str:
    """Return the text of a ledger line as an update frame carries it."""
    named = f'"wallet_type":"{wallet[0]}","wallet_id":"{wallet[1]}",' if wallet else ""
    return (
        f'{{"ledger_id":"{ledger_id}","ref_id":"R-{ledger_id}",'
        '"timestamp":"2023-09-22T10:33:05.710082Z","type":"trade","category":"trade",'
        f'"asset":"{asset}","asset_class":"currency",{named}{extra}'
        f'"amount":{amount},"fee":{fee},"balance":{balance}}}'
    )


def update(lines: list[str], sequence: int | None) -> str:
    """Return an update frame of lines given as JSON texts."""
    tail = "" if sequence is None else f',"sequence":{sequence}'
    return f'{{"channel":"balances","type":"update","data":[{",".join(lines)}]{tail}}}'


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Connection:
    """One subscriber, told whatever the script says."""

    def __init__(self, kraken: "ScriptedKraken", number: int, request, ws) -> None:
        """Remember the socket; nothing is told yet."""
        self.kraken, self.number, self.request, self.ws = kraken, number, request, ws
        self.subscribed: dict[str, Any] | None = None
        self.beating = self.ponging = True
        self.told_at = 0.0
        self.over = asyncio.Event()
        self.heard: list[Any] = []
        self.close_code: int | None = None

    async def tell(self, frame: str | bytes | Mapping[str, Any]) -> None:
        """Send one frame: JSON text as it is, bytes as a binary frame."""
        self.told_at = asyncio.get_running_loop().time()
        with contextlib.suppress(ConnectionError, RuntimeError):
            if isinstance(frame, bytes):
                await self.ws.send_bytes(frame)
            elif isinstance(frame, str):
                await self.ws.send_str(frame)
            else:
                await self.ws.send_str(json.dumps(frame))

    async def tell_raw(self, octets: bytes) -> None:
        """Put bytes on the socket below the WebSocket protocol."""
        self.request.transport.write(octets)

    async def status(self, system: str = "online", extra: str = "") -> None:
        """Send a status frame as after every connect."""
        await self.tell(
            f'{{"channel":"status","type":"update","data":[{{"system":"{system}",'
            f'"api_version":"v2","version":"2.0.10"{extra}}}]}}'
        )

    async def ack(self, **changes: Any) -> None:
        """Acknowledge the subscription."""
        answer: dict[str, Any] = {
            "method": "subscribe",
            "result": {"channel": "balances", "snapshot": True},
            "success": True,
            "time_in": "2023-10-16T13:29:13.111530Z",
            "time_out": "2023-10-16T13:29:13.111775Z",
        }
        if self.subscribed and "req_id" in self.subscribed:
            answer["req_id"] = self.subscribed["req_id"]
        answer |= changes
        await self.tell({k: v for k, v in answer.items() if v is not None})

    async def refuse(self, error: str) -> None:
        """Answer the subscription with an error."""
        await self.ack(success=False, result=None, error=error)

    async def close(self, code: int = 1001, text: str = "going away") -> None:
        """Close with a code."""
        self.beating = False
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.ws.close(code=code, message=text.encode()), 3)

    def abort(self) -> None:
        """Cut the TCP connection."""
        self.beating = False
        if self.request.transport is not None:
            self.request.transport.abort()


Greeting = Callable[[Connection], Awaitable[None]]


@dataclass
class Answer:
    """One REST answer."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    delay_s: float = 0.0


def result(value: Any, *, errors: tuple[str, ...] = ()) -> Answer:
    """Return a REST answer; a str value is put in as JSON text."""
    told = value if isinstance(value, str) else json.dumps(value)
    return Answer(f'{{"error":{json.dumps(errors)},"result":{told}}}'.encode())


def failure(*errors: str) -> Answer:
    """Return a REST answer that carries only errors."""
    return Answer(json.dumps({"error": list(errors)}).encode())


@dataclass
class Call:
    """One REST request as it came in."""

    path: str
    key: str
    nonce: int
    content_type: str
    body: bytes


class ScriptedKraken:
    """HTTP and WebSocket on one port; checks who asks with code of its own."""

    def __init__(self) -> None:
        """Start with an empty account that behaves well."""
        self.port = free_port()
        self.picture: list[str] = [picture_row("BTC", ("spot", "main", "1"))]
        self.greeting: Greeting = self.greet
        self.connections: asyncio.Queue[Connection] = asyncio.Queue()
        self.all: list[Connection] = []
        self.calls: list[Call] = []
        self.tokens: list[str] = []
        self.faults: list[str] = []
        self.answers: dict[str, list[Answer]] = {}
        self.handshake: list[int] = []
        self.attempts: list[float] = []
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._nonce = -1

    @property
    def ws_url(self) -> str:
        """The WebSocket address."""
        return f"ws://127.0.0.1:{self.port}/v2"

    @property
    def rest_url(self) -> str:
        """The REST address."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.listen()
        return self

    async def listen(self) -> None:
        """Open the port."""
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/v2", self._stream)
        app.router.add_post("/0/private/{name}", self._private)
        app.router.add_get("/0/public/{name}", self._public)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(
            self._runner, "127.0.0.1", self.port, reuse_address=True
        ).start()

    async def deafen(self) -> None:
        """Close the port and cut everyone off."""
        for connection in self.all:
            if not connection.over.is_set():
                connection.abort()
        if self._runner:
            await self._runner.cleanup()

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        for task in self._tasks:
            task.cancel()
        await self.deafen()

    async def greet(self, connection: Connection) -> None:
        """Acknowledge and tell the picture, as Kraken does."""
        await connection.ack()
        await connection.tell(snapshot(self.picture))

    async def connection(self, timeout_s: float = 60) -> Connection:
        """Return the next subscriber, after its greeting."""
        return await asyncio.wait_for(self.connections.get(), timeout_s)

    def answer(self, name: str, *answers: Answer) -> None:
        """Set what an endpoint answers: one after the other, the last for ever."""
        self.answers[name] = list(answers)

    def _scripted(self, name: str) -> Answer | None:
        answers = self.answers.get(name)
        if not answers:
            return None
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def _private(self, request: web.Request) -> web.Response:
        body = await request.read()
        name = request.match_info["name"]
        nonce = self._nonce_of(request.content_type, body.decode())
        key = request.headers.get("API-Key", "")
        self.calls.append(Call(name, key, int(nonce or -1), request.content_type, body))
        if "User-Agent" not in request.headers:
            self.faults.append("no User-Agent")
        error = self._check(request, key, nonce, body)
        if error:
            return self._respond(failure(error))
        scripted = self._scripted(name)
        if scripted is not None:
            await asyncio.sleep(scripted.delay_s)
            return self._respond(scripted)
        return self._respond(self._usual(name))

    def _nonce_of(self, kind: str, text: str) -> str:
        if kind == "application/json":
            return str(json.loads(text).get("nonce", ""))
        if kind == "application/x-www-form-urlencoded":
            return parse_qs(text).get("nonce", [""])[-1]
        self.faults.append(f"content type {kind}")
        return ""

    def _check(
        self, request: web.Request, key: str, nonce: str, body: bytes
    ) -> str | None:
        """Return what Kraken would say against this caller."""
        digest = hashlib.sha256(nonce.encode() + body).digest()
        secret = base64.b64decode(API_SECRET)
        mac = hmac.new(secret, request.path.encode() + digest, "sha512")
        expected = base64.b64encode(mac.digest()).decode()
        if key != API_KEY:
            return "EAPI:Invalid key"
        if not hmac.compare_digest(expected, request.headers.get("API-Sign", "")):
            self.faults.append("bad signature")
            return "EAPI:Invalid signature"
        if not self._nonce < int(nonce) < 2**64:
            self.faults.append(f"nonce {nonce} after {self._nonce}")
            return "EAPI:Invalid nonce"
        self._nonce = int(nonce)
        return None

    def _usual(self, name: str) -> Answer:
        if name == "GetWebSocketsToken":
            self.tokens.append(f"TOKEN{len(self.tokens)}x{os.urandom(12).hex()}")
            return result({"token": self.tokens[-1], "expires": 900})
        if name == "Balance":
            return result({"ZUSD": "1.0000"})
        if name == "Ledgers":
            return result({"ledger": {}, "count": 0})
        return failure("EGeneral:Unknown method")

    async def _public(self, request: web.Request) -> web.Response:
        version = request.query.get("assetVersion", "0")
        name = request.match_info["name"]
        self.calls.append(Call(name, "", -1, "", b""))
        scripted = self._scripted(f"{name}{version}") or self._scripted(name)
        return self._respond(scripted or failure("EService:Unavailable"))

    @staticmethod
    def _respond(answer: Answer) -> web.Response:
        return web.Response(
            body=answer.body, status=answer.status, content_type=answer.content_type
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.handshake:
            return web.Response(status=self.handshake.pop(0), text="busy")
        ws = web.WebSocketResponse(max_msg_size=2**24)
        await ws.prepare(request)
        connection = Connection(self, len(self.all), request, ws)
        self.all.append(connection)
        await connection.status(extra=f',"connection_id":{2**63 + 12345}')
        beat = asyncio.create_task(self._beat(connection))
        try:
            async for message in ws:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                await self._hear(connection, json.loads(message.data))
        finally:
            beat.cancel()
            connection.close_code = ws.close_code
            connection.over.set()
        return ws

    async def _hear(self, connection: Connection, told: dict[str, Any]) -> None:
        connection.heard.append(told)
        if told.get("method") == "ping":
            if not connection.ponging:
                return
            await connection.tell({"method": "pong", "req_id": told.get("req_id")})
        elif told.get("method") == "subscribe":
            params = told["params"]
            token = params.get("token")
            if (
                token not in self.tokens[-1:]
                and "GetWebSocketsToken" not in self.answers
            ):
                self.faults.append("token unknown or used before")
                await connection.refuse("ESession:Invalid session")
                return
            if params.get("channel") != "balances":
                self.faults.append(f"subscribed to {params}")
            connection.subscribed = told
            task = asyncio.create_task(self._greet(connection))
            self._tasks.add(task)

    async def _greet(self, connection: Connection) -> None:
        await self.greeting(connection)
        self.connections.put_nowait(connection)

    async def _beat(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.25)
            quiet = loop.time() - connection.told_at
            if connection.beating and connection.subscribed and quiet >= 1:
                await connection.tell('{"channel":"heartbeat"}')


@dataclass(frozen=True)
class Told:
    """One record as it lies on the bus."""

    topic: str
    partition: int
    offset: int
    key: str | None
    headers: dict[str, bytes]
    value: dict[str, Any] | None
    raw: bytes


class Bus:
    """Reads every topic from the start, with fastavro and the registry's schemas."""

    def __init__(self, bootstrap: str, registry: str, prefix: str = "balances") -> None:
        """Take the addresses."""
        self.bootstrap, self.registry, self.prefix = bootstrap, registry, prefix
        self.records: list[Told] = []
        self._schemas: dict[int, Any] = {}
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Read in the background."""
        self._http = aiohttp.ClientSession()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=2**24,
        )
        await self._consumer.start()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        described = await admin.describe_topics()
        await admin.close()
        self._consumer.assign(
            [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in described
                if topic["topic"].startswith(self.prefix + ".")
                for partition in topic["partitions"]
            ]
        )
        await self._consumer.seek_to_beginning()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop reading."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._consumer.stop()
        await self._http.close()

    async def _read(self) -> None:
        async for record in self._consumer:
            value = None
            if record.value is not None:
                value = await self._decode(record.value)
            told = Told(
                record.topic.removeprefix(self.prefix + ".").removesuffix(".v1"),
                record.partition,
                record.offset,
                None if record.key is None else record.key.decode(),
                dict(record.headers),
                value,
                record.value or b"",
            )
            async with self._news:
                self.records.append(told)
                self._news.notify_all()

    async def _decode(self, octets: bytes) -> dict[str, Any]:
        assert octets[0] == 0, octets[:8]
        number = int.from_bytes(octets[1:5], "big")
        if number not in self._schemas:
            url = f"{self.registry}/schemas/ids/{number}"
            async with self._http.get(url) as answer:
                told = await answer.json(content_type=None)
            self._schemas[number] = parse_schema(json.loads(told["schema"]))
        body = io.BytesIO(octets[5:])
        value = schemaless_reader(body, self._schemas[number])
        assert not body.read(), "bytes left"
        return value

    def of(self, account: str, topic: str) -> list[Told]:
        """Return an account's records of a topic, in topic order."""
        return [
            told
            for told in self.records
            if told.topic == topic
            and (
                (told.value or {}).get("account") == account
                or (told.key or "").split("|")[1:2] == [account]
            )
        ]

    def events(self, account: str) -> list[dict[str, Any]]:
        """Return an account's events."""
        return [t.value for t in self.of(account, "events") if t.value]

    async def until(self, check: Callable[[], Any], timeout_s: float = 60) -> Any:
        """Wait until the check gives something true, or return what it gives."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := check()):
                    async with self._news:
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._news.wait(), 0.5)
                return found
        except TimeoutError:
            return check()

    async def wait_events(self, account: str, count: int, timeout_s: float = 60):
        """Return the events once there are so many."""
        await self.until(lambda: len(self.events(account)) >= count, timeout_s)
        return self.events(account)

    async def wait_state(
        self, account: str, state: str, timeout_s: float = 60, feed: str = "ws"
    ) -> dict[str, Any] | None:
        """Return the newest status once its state is this one."""

        def newest() -> dict[str, Any] | None:
            told = [
                t.value for t in self.of(account, "status") if t.value["feed"] == feed
            ]
            return told[-1] if told and told[-1]["state"] == state else None

        return await self.until(newest, timeout_s)

    def states(self, account: str, feed: str = "ws") -> list[str]:
        """Return the states in order, repeats left out."""
        found: list[str] = []
        for told in self.of(account, "status"):
            if told.value["feed"] == feed and told.value["state"] not in found[-1:]:
                found.append(told.value["state"])
        return found


class Connector:
    """A connector as a process of its own."""

    def __init__(
        self,
        program: str,
        kraken: ScriptedKraken,
        account: str,
        bus: Bus,
        log: Path,
        **settings: str,
    ) -> None:
        """Prepare its settings."""
        self.log = log
        self.program = program
        self.http_port = free_port()
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap,
            "BALANCEBUS_SCHEMA_REGISTRY_URL": bus.registry,
            "BALANCEBUS_TOPIC_PREFIX": bus.prefix,
            "BALANCEBUS_ACCOUNT": account,
            "BALANCEBUS_API_KEY": API_KEY,
            "BALANCEBUS_API_SECRET": API_SECRET,
            "BALANCEBUS_WS_URL": kraken.ws_url,
            "BALANCEBUS_REST_URL": kraken.rest_url,
            "BALANCEBUS_FEEDS": "ws",
            "BALANCEBUS_HTTP_HOST": "127.0.0.1",
            "BALANCEBUS_HTTP_PORT": str(self.http_port),
        } | {f"BALANCEBUS_{name}": value for name, value in settings.items()}
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> "Connector":
        """Start it."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                self.program,
                "connector",
                "kraken",
                env={k: v for k, v in self.environment.items() if v != "-"},
                stdout=log,
                stderr=log,
            )
        return self

    async def __aenter__(self) -> Self:
        """Start it."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """Stop it, hard if it does not listen."""
        if self.process and self.process.returncode is None:
            await self.stop()

    async def stop(self, number: int = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Send a signal and return the exit code; -99 if it had to be killed."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended(timeout_s)

    async def ended(self, timeout_s: float = 60) -> int:
        """Return the exit code once it ends by itself; -99 if it had to be killed."""
        try:
            return await asyncio.wait_for(self.process.wait(), timeout_s)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return -99

    def said(self) -> str:
        """Return what it logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""
