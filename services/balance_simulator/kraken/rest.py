"""The venue's REST calls: one request in, one answer out, without sockets and clock.

Source: "Get Account Balance", "Get Extended Balance", "Get WebSockets Token", "Get
Ledgers Info", "Get Asset Info" and the errors guide. Errors come with HTTP 200 in the
``error`` array; the older reference makes a User-Agent mandatory.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, NamedTuple

from balance_simulator.calls import Answer, Call, through_front
from balance_simulator.exact import MICROSECONDS
from balance_simulator.faults import Fault
from balance_simulator.kraken import frames
from balance_simulator.kraken.auth import (
    CREATE_WS_TOKEN,
    QUERY_FUNDS,
    QUERY_LEDGER,
    TOKEN_LIFE_US,
    ApiKey,
    RefusedError,
    read_parameters,
)
from balance_simulator.kraken.ledger import LedgerLine
from balance_simulator.kraken.state import State

PAGE = 50
_HTML = (
    "<!DOCTYPE html><html><head><title>api.kraken.com | 520: Web server is returning "
    "an unknown error</title></head><body><h1>Error 520</h1></body></html>"
)
_FORBIDDEN = "<html><head><title>403 Forbidden</title></head><body></body></html>"


class _Endpoint(NamedTuple):
    run: Callable[[State, ApiKey, Mapping[str, Any], int], str]
    permission: str
    cost: int


def answer(state: State, call: Call, now_us: int) -> Answer:
    """Answer a call, after the faults that are armed for it."""
    state.statistics.rest_calls[call.endpoint] += 1
    return through_front(
        state.faults, call, _HTML, lambda: _answer(state, call, now_us)
    )


def _answer(state: State, call: Call, now_us: int) -> Answer:
    if not call.headers.get("User-Agent"):
        return Answer(_FORBIDDEN, 403, "text/html")
    try:
        if state.system(now_us) != "online":
            raise RefusedError("EService:Unavailable")
        if call.path == "/0/public/Assets":
            return Answer(_assets(state, call.query))
        return Answer(_private(state, call, now_us))
    except RefusedError as refused:
        state.statistics.rest_errors[str(refused)] += 1
        return Answer(frames.rest_error(str(refused)))


def _private(state: State, call: Call, now_us: int) -> str:
    endpoint = _ENDPOINTS.get(call.path)
    if endpoint is None or call.method != "POST":
        raise RefusedError("EGeneral:Unknown method")
    if state.faults.active(Fault.LOCKOUT, now_us):
        raise RefusedError("EGeneral:Temporary lockout")
    content_type = call.headers.get("Content-Type", "")
    parameters = read_parameters(content_type, call.body)
    key = state.keys.check(call.path, call.headers, call.body, parameters)
    _raise_armed(state, call.endpoint, now_us)
    state.keys.rates[key.key].charge(endpoint.cost, now_us)
    key.require(endpoint.permission)
    return endpoint.run(state, key, parameters, now_us)


def _raise_armed(state: State, endpoint: str, now_us: int) -> None:
    """Refuse as an armed fault says, though the call itself is right."""
    words = {
        Fault.NONCE: "EAPI:Invalid nonce",
        Fault.RATE_LIMIT: "EAPI:Rate limit exceeded",
        Fault.PERMISSION_DENIED: "EGeneral:Permission denied",
    }
    for fault, word in words.items():
        if state.faults.take(fault, to="rest", endpoint=endpoint):
            raise RefusedError(word)
    throttle = state.faults.take(Fault.THROTTLE, endpoint=endpoint)
    if throttle:
        until = now_us // MICROSECONDS + int(throttle.arguments["seconds"])
        raise RefusedError(f"EService: Throttled: {until}")
    error = state.faults.take(Fault.ERROR, endpoint=endpoint)
    if error:
        raise RefusedError(str(error.arguments["text"]))


def _rebased(parameters: Mapping[str, Any]) -> bool:
    value = parameters.get("rebase_multiplier")
    if value not in {None, "", "rebased", "base"}:
        raise RefusedError("EGeneral:Invalid arguments:rebase_multiplier")
    return value != "base"


def _assets(state: State, query: Mapping[str, str]) -> str:
    kind = query.get("aclass", "currency")
    by_display = query.get("assetVersion") == "1"
    listed = frames.rest_assets(state.assets, by_display_name=by_display, kind=kind)
    wanted = [name for name in query.get("asset", "").split(",") if name]
    if wanted:
        listed = {
            key: row
            for key, row in listed.items()
            if key in wanted or row["altname"] in wanted
        }
        if not listed:
            raise RefusedError("EQuery:Unknown asset")
    return frames.rest_result(listed)


def _balance(
    state: State, key: ApiKey, parameters: Mapping[str, Any], _now_us: int
) -> str:
    rows = frames.rest_balances(state.ledger, key.user, rebased=_rebased(parameters))
    figure = state.faults.take(Fault.FIGURE, to="rest")
    if figure and rows:
        rows[next(iter(rows))] = str(figure.arguments["text"])
    return frames.rest_result(rows)


def _balance_extended(
    state: State, key: ApiKey, parameters: Mapping[str, Any], _now_us: int
) -> str:
    rebased = _rebased(parameters)
    rows = frames.rest_balances(state.ledger, key.user, rebased=rebased)
    return frames.rest_result(
        {
            code: {"balance": balance, "hold_trade": frames.no_hold(balance)}
            for code, balance in rows.items()
        }
    )


def _token(
    state: State, key: ApiKey, _parameters: Mapping[str, Any], now_us: int
) -> str:
    token = state.tokens.issue(key, now_us)
    return frames.rest_result(
        {"token": token, "expires": TOKEN_LIFE_US // MICROSECONDS}
    )


def _ledgers(
    state: State, key: ApiKey, parameters: Mapping[str, Any], _now_us: int
) -> str:
    rebased = _rebased(parameters)
    try:
        offset = int(parameters.get("ofs") or 0)
        found = list(_matching(state, key.user, parameters))
    except (ValueError, InvalidOperation):
        raise RefusedError("EGeneral:Invalid arguments") from None
    page = islice(found, offset, offset + PAGE)
    rows = {
        line.ledger_id: frames.rest_ledger_row(line, state.assets, rebased=rebased)
        for line in page
    }
    without_count = str(parameters.get("without_count", "")).lower() == "true"
    return frames.rest_ledgers(rows, None if without_count else len(found))


def _matching(
    state: State, user: str, parameters: Mapping[str, Any]
) -> Iterator[LedgerLine]:
    """Go through a user's lines from the newest: after ``start``, up to ``end``.

    Both may be a time in seconds or a ledger id; ``start`` is exclusive.
    """
    start, end = parameters.get("start"), parameters.get("end")
    wanted = _words(parameters.get("asset"))
    kinds = _words(parameters.get("type"))
    started = not _is_ledger_id(end)
    for line in reversed(state.ledger.lines):
        started = started or line.ledger_id == end
        if _before(line, start):
            return
        wallet = line.entry.wallet
        if not started or wallet.user != user or _after(line, end):
            continue
        asset = state.assets.internal(wallet.asset)
        if wanted and not wanted & {asset.internal, asset.altname, asset.display}:
            continue
        if not kinds or line.entry.type in kinds:
            yield line


def _words(value: object) -> set[str]:
    words = {word for word in str(value or "").split(",") if word}
    return set() if "all" in words else words


def _is_ledger_id(value: object) -> bool:
    return isinstance(value, str) and "-" in value


def _time_us(value: object) -> Decimal:
    return Decimal(str(value)) * MICROSECONDS


def _before(line: LedgerLine, start: object) -> bool:
    """Tell whether a line is at or before ``start``, which is exclusive."""
    if start in {None, ""}:
        return False
    if _is_ledger_id(start):
        return line.ledger_id == start
    return line.at_us <= _time_us(start)


def _after(line: LedgerLine, end: object) -> bool:
    if end in {None, ""} or _is_ledger_id(end):
        return False
    return line.at_us > _time_us(end)


_ENDPOINTS = {
    "/0/private/Balance": _Endpoint(_balance, QUERY_FUNDS, 1),
    "/0/private/BalanceEx": _Endpoint(_balance_extended, QUERY_FUNDS, 1),
    "/0/private/GetWebSocketsToken": _Endpoint(_token, CREATE_WS_TOKEN, 1),
    "/0/private/Ledgers": _Endpoint(_ledgers, QUERY_LEDGER, 2),
}
