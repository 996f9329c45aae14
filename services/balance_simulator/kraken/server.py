"""The sockets of the Kraken stand-in: WebSocket v2, REST and control on one port.

Thin: it reads and writes, and asks ``stream`` and ``rest`` what to say.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import cast

from aiohttp import WSMsgType, web

from balance_simulator.clients import Client
from balance_simulator.control import Controlled, control_routes
from balance_simulator.faults import Fault
from balance_simulator.kraken import frames, rest
from balance_simulator.kraken.state import State
from balance_simulator.kraken.stream import Session
from balance_simulator.listener import Listener
from balance_simulator.pace import Clock

_STREAM_PATHS = ("/v2", "/v2/private")
_TICKS_PER_HEARTBEAT = 4


class KrakenServer:
    """Accepts connections and keeps their sessions.

    Args:
        state: what the venue remembers.
        clock: the venue's time in microseconds since 1970, UTC.
        venue: whom the control interface asks.
    """

    def __init__(self, state: State, clock: Clock, venue: Controlled) -> None:
        self.sessions: dict[Client, Session] = {}
        self.cut_off = 0
        self.listener = Listener(state.settings.host, state.settings.port)
        self._state = state
        self._clock = clock
        self._venue = venue
        self._ticking: asyncio.Task[None] | None = None
        self._system = "online"

    async def start(self) -> None:
        """Listen from now on."""
        application = web.Application(client_max_size=1 << 26)
        application.add_routes(control_routes(self._venue))
        application.add_routes([web.get(path, self._stream) for path in _STREAM_PATHS])
        application.router.add_route("*", "/0/{tail:.*}", self._rest)
        await self.listener.start(application)
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Close every connection (1001, or abruptly where it is silent) and end."""
        if self._ticking:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        for client in list(self.sessions):
            if client.silent:
                client.abort()
            else:
                client.close(1001, "going away")
        await self.listener.stop()

    def subscribed(self) -> Iterator[tuple[Client, Session]]:
        """Go through the connections that have a subscription."""
        for client, session in list(self.sessions.items()):
            if session.subscription:
                yield client, session

    def announce_status(self) -> None:
        """Tell every client the engine's state when it has changed."""
        now_us = self._clock()
        system = self._state.system(now_us)
        if system == self._system:
            return
        self._system = system
        for client, session in list(self.sessions.items()):
            client.send(session.status(now_us))

    async def _tick(self) -> None:
        heartbeat_s = self._state.settings.heartbeat_s
        while True:
            await asyncio.sleep(heartbeat_s / _TICKS_PER_HEARTBEAT)
            self.announce_status()
            now_us = self._clock()
            for client, session in self.subscribed():
                for text in session.due(now_us):
                    client.send(text)
                idle_us = now_us - client.last_sent_us
                if idle_us >= heartbeat_s * 1_000_000 and not client.silent:
                    self._state.statistics.frames["heartbeat"] += 1
                    client.send(frames.HEARTBEAT)

    async def _rest(self, request: web.Request) -> web.Response:
        call = rest.Call(
            request.method,
            request.path,
            request.headers,
            await request.read(),
            request.query,
        )
        answer = rest.answer(self._state, call, self._clock())
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        return web.Response(
            text=answer.text, status=answer.status, content_type=answer.content_type
        )

    def _refusal(self) -> web.Response | None:
        """Count a connection attempt and return why it is refused, if it is."""
        now_us = self._clock()
        attempts = self._state.statistics.attempt(now_us)
        if self._state.faults.active(Fault.REFUSE_CONNECTIONS, now_us):
            return web.Response(status=503, text="Service Unavailable")
        most = self._state.settings.connections_max
        if most is not None and attempts > most:
            return web.Response(status=429, text="Too Many Requests")
        return None

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal()
        if refusal:
            return refusal
        socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, timeout=1.0
        )
        await socket.prepare(request)
        self._state.statistics.connections += 1
        # A request whose handshake was just answered has a transport.
        transport = cast("asyncio.Transport", request.transport)
        settings = self._state.settings
        client = Client(socket, transport, self._clock, settings.queue_max)
        session = Session(self._state, self._state.identifiers.connection_id())
        await self._converse(socket, client, session)
        return socket

    async def _converse(
        self, socket: web.WebSocketResponse, client: Client, session: Session
    ) -> None:
        silence = self._state.faults.active(Fault.SILENCE, self._clock())
        if silence and silence.until_us:
            client.silence(silence.until_us, lose=bool(silence.arguments["lose"]))
        self.sessions[client] = session
        writing = asyncio.create_task(client.write())
        try:
            for text in session.opened(self._clock()):
                client.send(text)
            await self._listen(socket, client, session)
            await client.wait_until_gone()
            await socket.close()
        finally:
            session.closed()
            del self.sessions[client]
            self.cut_off += client.cut_off
            writing.cancel()

    async def _listen(
        self, socket: web.WebSocketResponse, client: Client, session: Session
    ) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for text in session.receive(message.data, self._clock()):
                    client.send(text)
            elif message.type is WSMsgType.PING:
                await client.pong(message.data)
