"""The sockets of a stand-in venue: WebSocket, REST and control on one port.

Thin: it reads and writes, and asks ``connections`` and the venue what to say.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, cast

from aiohttp import WSMsgType, web

from balance_simulator.calls import Answer, Call
from balance_simulator.clients import Client
from balance_simulator.connections import Connections
from balance_simulator.control import Controlled, control_routes
from balance_simulator.listener import Listener
from balance_simulator.sessions import Peer, Session

Answering = Callable[[Call, int], Answer]


class VenueServer:
    """Accepts connections and carries what is said on them.

    Args:
        connections: who is connected.
        stream_paths: paths on which the venue speaks WebSocket.
        answer: answers a REST call, given the time; every other path is REST.
        venue: whom the control interface asks.
    """

    def __init__(
        self,
        connections: Connections[Any],
        stream_paths: Sequence[str],
        answer: Answering,
        venue: Controlled,
    ) -> None:
        settings = connections.memory.settings
        self.listener = Listener(settings.host, settings.port)
        self._connections = connections
        self._stream_paths = stream_paths
        self._answer = answer
        self._venue = venue
        self._ticking: asyncio.Task[None] | None = None

    @property
    def sessions(self) -> dict[Peer, Session]:
        """All connections with their conversations."""
        return self._connections.sessions

    @property
    def cut_off(self) -> int:
        """Connections dropped because they did not read."""
        return self._connections.cut_off

    async def start(self) -> None:
        """Listen from now on."""
        application = web.Application(client_max_size=1 << 26)
        application.add_routes(control_routes(self._venue))
        application.add_routes(
            [web.get(path, self._stream) for path in self._stream_paths]
        )
        application.router.add_route("*", "/{tail:.*}", self._rest)
        await self.listener.start(application)
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Close every connection (1001, or abruptly where it is silent) and end."""
        if self._ticking:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        self._connections.go_away()
        await self.listener.stop()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._connections.tick_s)
            self._connections.tick()

    async def _rest(self, request: web.Request) -> web.Response:
        call = Call(
            request.method,
            request.path,
            request.headers,
            await request.read(),
            request.query,
            request.raw_path,
        )
        answer = self._answer(call, self._connections.clock())
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        return web.Response(
            text=answer.text, status=answer.status, content_type=answer.content_type
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        status = self._connections.refusal()
        if status:
            return web.Response(status=status, text=HTTPStatus(status).phrase)
        socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, timeout=1.0
        )
        await socket.prepare(request)
        # A request whose handshake was just answered has a transport.
        transport = cast("asyncio.Transport", request.transport)
        queue_max = self._connections.memory.settings.queue_max
        client = Client(socket, transport, self._connections.clock, queue_max)
        await self._converse(socket, client)
        return socket

    async def _converse(self, socket: web.WebSocketResponse, client: Client) -> None:
        self._connections.join(client)
        writing = asyncio.create_task(client.write())
        try:
            await self._listen(socket, client)
            await client.wait_until_gone()
            await socket.close()
        finally:
            self._connections.leave(client)
            writing.cancel()

    async def _listen(self, socket: web.WebSocketResponse, client: Client) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._connections.heard(client, message.data)
            elif message.type is WSMsgType.PING:
                await client.pong(message.data)
