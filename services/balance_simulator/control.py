"""The control interface of a stand-in venue, under ``/control/``: common to all venues.

It is no part of what a real venue offers: tests, demos and benchmarks read the truth
and ask for trouble through it. All bodies are JSON objects; amounts are strings (or
numbers, read digit by digit). A wrong request answers 400 with ``{"error": text}``.

=======================  ==========================================================
GET  /control/truth      all balances as exact strings, lines written, last line ids
GET  /control/ledger     the newest lines: ``?limit=100&user=ID``
GET  /control/stats      connections, calls, frames, nonces, rate counters, faults
GET  /control/traffic    whether traffic runs, and how much it made
POST /control/operation  one ledger operation: ``{"operation": "deposit", ...}``
POST /control/traffic    ``{"rate": 100, "count": 1000, "seed": 7, "block": true}`` or
                         ``{"stop": true}``; rate 0 is as fast as possible
POST /control/fault      ``{"fault": "gap", "count": 2}``; see ``faults``
POST /control/picture    a big account: ``{"assets": 20000}``
=======================  ==========================================================
"""

import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from aiohttp import web

Answer = dict[str, Any]
_Handler = Callable[[web.Request], Awaitable[web.Response]]


class Controlled(Protocol):
    """What a venue offers to the control interface; ValueError means a bad request."""

    def truth(self) -> Answer:
        """Return all balances as exact strings."""

    def lines(self, limit: int, user: str | None) -> Answer:
        """Return the newest ledger lines, newest last."""

    def statistics(self) -> Answer:
        """Return what was counted."""

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Run one operation and tell subscribers about it."""

    def traffic(self, arguments: Mapping[str, Any]) -> Answer:
        """Start or stop background traffic, or with no arguments tell how it is."""

    async def traffic_finished(self) -> None:
        """Wait until the traffic asked for has been produced."""

    def fault(self, name: str, **arguments: Any) -> Answer:
        """Arm or run a fault."""

    def picture(self, arguments: Mapping[str, Any]) -> Answer:
        """Load a big account."""


def control_routes(venue: Controlled) -> list[web.RouteDef]:
    """Return the routes of the control interface of one venue."""
    return [
        web.get("/control/truth", _reading(lambda _query: venue.truth())),
        web.get("/control/stats", _reading(lambda _query: venue.statistics())),
        web.get("/control/traffic", _reading(lambda _query: venue.traffic({}))),
        web.get("/control/ledger", _reading(lambda query: _lines(venue, query))),
        web.post("/control/operation", _writing(_operation(venue))),
        web.post("/control/traffic", _writing(_traffic(venue))),
        web.post("/control/fault", _writing(_fault(venue))),
        web.post("/control/picture", _writing(_picture(venue))),
    ]


def _lines(venue: Controlled, query: Mapping[str, str]) -> Answer:
    return venue.lines(int(query.get("limit", "100")), query.get("user"))


def _operation(venue: Controlled) -> Callable[[Answer], Awaitable[Answer]]:
    async def run(body: Answer) -> Answer:
        return venue.operate(str(body.pop("operation", None)), body)

    return run


def _traffic(venue: Controlled) -> Callable[[Answer], Awaitable[Answer]]:
    async def run(body: Answer) -> Answer:
        block = body.pop("block", False)
        answer = venue.traffic(body)
        if not block:
            return answer
        await venue.traffic_finished()
        return venue.traffic({})

    return run


def _fault(venue: Controlled) -> Callable[[Answer], Awaitable[Answer]]:
    async def run(body: Answer) -> Answer:
        return venue.fault(str(body.pop("fault", None)), **body)

    return run


def _picture(venue: Controlled) -> Callable[[Answer], Awaitable[Answer]]:
    async def run(body: Answer) -> Answer:
        return venue.picture(body)

    return run


def _reading(read: Callable[[Mapping[str, str]], Answer]) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(read(request.query))
        except ValueError as error:
            return _bad(error)

    return handle


def _writing(run: Callable[[Answer], Awaitable[Answer]]) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            text = await request.text()
            body = json.loads(text or "{}", parse_float=Decimal)
            if not isinstance(body, dict):
                raise TypeError("the body is a JSON object")
            return web.json_response(await run(body), dumps=_dumps)
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            return _bad(error)

    return handle


# Decimals of a request may come back in its answer.
_dumps = functools.partial(json.dumps, default=str)


def _bad(error: Exception) -> web.Response:
    text = f"{type(error).__name__}: {error}"
    return web.json_response({"error": text}, status=400)
