"""Toyex itself, in memory: books, frames with numbers, heartbeats, two answers."""

import asyncio
import json
from contextlib import asynccontextmanager
from decimal import Decimal

from balance_connector.rest import RestClient
from balance_connector.venue import Response
from balance_shared.testing import ScriptedSocket


class Toyex(RestClient):
    """The venue, and the way to its REST answers.

    Attributes:
        balances: asset → balance.
        lines: the ledger, oldest first.
    """

    def __init__(self, clock) -> None:
        super().__init__("https://toyex.example", clock)
        self.balances = {"BTC": Decimal("1.5"), "USD": Decimal(100)}
        self.lines: list[dict[str, str]] = []
        self.socket = ScriptedSocket()
        self._number = 0

    @asynccontextmanager
    async def connect(self, url):
        """Open a connection, and tell the picture."""
        self.socket, self._number = ScriptedSocket(), 0
        self._say(balances=_texts(self.balances))
        beating = asyncio.create_task(self._beat())
        try:
            yield self.socket
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._say()

    def _say(self, *, lost: bool = False, **words) -> None:
        self._number += 1
        if not lost:
            self.socket.say(json.dumps({"n": self._number, **words}).encode())

    def move(self, asset: str, change: str, *, lost: bool = False) -> None:
        """Change a balance; the frame that tells it may be lost on its way."""
        self.balances[asset] += Decimal(change)
        line = {"id": f"L{len(self.lines)}", "asset": asset, "change": change}
        self.lines.append({**line, "balance": f"{self.balances[asset]}"})
        self._say(lost=lost, line=self.lines[-1])

    async def send(self, request) -> Response:
        """Answer a REST call."""
        answers = {
            "/balances": {"balances": _texts(self.balances)},
            "/ledger": {"lines": self.lines},
        }
        return Response(200, json.dumps(answers[request.path]).encode())


def _texts(balances: dict[str, Decimal]) -> dict[str, str]:
    return {asset: f"{balance}" for asset, balance in balances.items()}
