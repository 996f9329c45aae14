"""The venue's REST calls: one request in, one answer out, without sockets and clock.

Source: the OpenAPI description 1.7.0 (paths, fields, pages from 1, errors by status),
"API authentication", "Error handling" (429: wait 10 s; 403 and error 1020 for an
address that is not allowed) and "Submit your first API call" (``GET /time``).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from balance_simulator.calls import Answer, Call, through_front
from balance_simulator.exact import MICROSECONDS, rfc3339
from balance_simulator.faults import Fault
from balance_simulator.zerohash import rest_rows
from balance_simulator.zerohash.pictures import Scope, visible
from balance_simulator.zerohash.signing import ApiKey, RefusedError, compact
from balance_simulator.zerohash.state import State

Row = dict[str, Any]
RowT = TypeVar("RowT")

_FILTERS = (
    "account_owner",
    "account_group",
    "account_label",
    "account_type",
    "asset",
)
_MOVEMENTS_PAGE = 100
_HTML = (
    "<!DOCTYPE html><html><head><title>Web server is returning an unknown error"
    "</title></head><body><h1>Error 520</h1></body></html>"
)
_ACCESS_DENIED = (
    "<!DOCTYPE html><html><head><title>Access denied</title></head><body>"
    "<h1>Error 1020</h1></body></html>"
)
_BAD_REQUEST, _FORBIDDEN = 400, 403


class Request(NamedTuple):
    """A signed call on its way to its endpoint; ``part`` is the id in the path."""

    state: State
    key: ApiKey
    query: Mapping[str, str]
    part: str
    now_us: int


def answer(state: State, call: Call, now_us: int) -> Answer:
    """Answer a call, after the faults that are armed for it."""
    state.statistics.rest_calls[_name(call.path)] += 1
    denied = state.faults.active(Fault.FORBIDDEN, now_us)
    if denied and denied.arguments["html"]:
        return Answer(_ACCESS_DENIED, _FORBIDDEN, "text/html")
    return through_front(
        state.faults, call, _HTML, lambda: _answer(state, call, now_us)
    )


def error(status: int, text: str) -> Answer:
    """Return a refusal, whose form depends on its status."""
    body: Row = {"error": text}
    if status == _BAD_REQUEST:
        body = {"errors": [text]}
    elif status == _FORBIDDEN:
        body = {"error": True, "message": text}
    return Answer(compact(body), status)


def _answer(state: State, call: Call, now_us: int) -> Answer:
    try:
        return Answer(compact(_message(state, call, now_us)))
    except RefusedError as refused:
        state.statistics.rest_errors[str(refused)] += 1
        return error(refused.status, str(refused))


def _message(state: State, call: Call, now_us: int) -> Row:
    if state.faults.active(Fault.MAINTENANCE, now_us):
        raise RefusedError(503, "Service Unavailable")
    if state.faults.active(Fault.FORBIDDEN, now_us):
        raise RefusedError(403, "IP address is not allowed")
    name = _name(call.path)
    if call.method != "GET" or not name:
        raise RefusedError(404, "Not Found")
    venue_us = state.time_us(now_us)
    if name == "time":
        return _time(state, venue_us)
    route = call.target or call.path
    key = state.keys.check_call(call.headers, call.method, route, venue_us)
    _raise_armed(state, call.endpoint)
    part = call.path.split("/")[2] if name in _BY_ID else ""
    return _ENDPOINTS[name](Request(state, key, call.query, part, now_us))


def _name(path: str) -> str:
    """Return the endpoint's name, "" for a path that is none."""
    words = path.split("/")[1:]
    if len(words) == 1 and words[0] in {"time", "accounts", "movements", "assets"}:
        return words[0]
    if words[0] != "accounts":
        return ""
    by_count = {2: "account", 3: f"account_{words[-1]}"}
    name = by_count.get(len(words), "")
    return name if name in _BY_ID else ""


def _raise_armed(state: State, endpoint: str) -> None:
    """Refuse as an armed fault says, though the call itself is right."""
    if state.faults.take(Fault.RATE_LIMIT, endpoint=endpoint):
        raise RefusedError(429, "Too Many Requests")
    if state.faults.take(Fault.PERMISSION_DENIED, to="rest", endpoint=endpoint):
        text = "This api key does not have read permission to this endpoint"
        raise RefusedError(403, text)
    armed = state.faults.take(Fault.ERROR, endpoint=endpoint)
    if armed:
        raise RefusedError(int(armed.arguments["status"]), armed.arguments["text"])


def _time(state: State, venue_us: int) -> Row:
    units = state.settings.epoch_units
    step = MICROSECONDS if units == "seconds" else 1_000
    told = {
        "epoch": venue_us // step,
        "epoch_units": units,
        "iso_8601": f"{rfc3339(venue_us)[:-4]}Z",
    }
    return {"message": told}


def _assets(request: Request) -> Row:
    wanted = request.query.get("symbol")
    return {
        "message": [
            rest_rows.asset(asset)
            for asset in request.state.assets
            if wanted in {None, asset.name}
        ]
    }


def _scope(request: Request) -> Scope:
    given = {name: request.query[name] for name in _FILTERS if name in request.query}
    return Scope(request.key.owner, request.state.settings.rest_multi_chain, given)


def _page(request: Request, found: Sequence[RowT], rows: int) -> tuple[list[RowT], Row]:
    """Return the rows of the page asked for, and the members that tell which it is."""
    page = _number(request.query, "page", 1)
    total = max(1, -(-len(found) // rows))
    shown = list(islice(found, (page - 1) * rows, page * rows))
    return shown, {"page": page, "total_pages": total}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise RefusedError(_BAD_REQUEST, f"querystring/{name} must be number")
    return int(text)


def _accounts(request: Request) -> Row:
    """List accounts as they were opened; empty ones are not there and take no place."""
    state = request.state
    found = [
        row
        for row in visible(state, _scope(request))
        if row[1].balance or state.settings.rest_zeros
    ]
    shown, pages = _page(request, found, state.settings.page_rows)
    rows = [rest_rows.account(state, *row) for row in shown]
    unreadable = state.faults.take(Fault.FIGURE, to="rest") if rows else None
    if unreadable:
        rows[0]["balance"] = str(unreadable.arguments["text"])
    if shown and pages["page"] < pages["total_pages"] and state.faults.take(Fault.TORN):
        state.emptied = shown[0][0]
    return {"message": rows, **pages}


def _account(request: Request) -> Row:
    account, record, name = _found(request)
    return {"message": rest_rows.account(request.state, account, record, name)}


def _found(request: Request) -> rest_rows.Known:
    """Return the account of the path, an empty one, too.

    Raises:
        RefusedError: 404 when there is none, or it is another platform's.
    """
    state = request.state
    account = state.ledger.by_id.get(request.part)
    if account is not None:
        multi_chain = state.settings.rest_multi_chain
        name = state.assets.name(account.asset, multi_chain=multi_chain)
        if Scope(request.key.owner, multi_chain, {}).sees(account, name):
            return account, state.ledger.records[account], name
    raise RefusedError(404, "Not Found")


def _run_history(request: Request) -> Row:
    """List what each run did to an account, newest first."""
    state, (account, _, _) = request.state, _found(request)
    found = [
        (run, change)
        for run in reversed(state.ledger.runs)
        for change in run.changes
        if change.account == account
    ]
    shown, pages = _page(request, found, state.settings.page_rows)
    return {"message": [rest_rows.run(state, *row) for row in shown], **pages}


def _account_movements(request: Request) -> Row:
    """List the movements of an account, newest first."""
    state, (account, _, _) = request.state, _found(request)
    found = [
        row
        for row in rest_rows.movements(state.ledger)
        if row.change.account == account and rest_rows.fits(row, request.query)
    ]
    shown, pages = _page(request, found, state.settings.page_rows)
    return {"message": [rest_rows.account_movement(state, r) for r in shown], **pages}


def _movements(request: Request) -> Row:
    """List the movements of the last two months of all accounts, newest first."""
    state = request.state
    rows = _number(request.query, "page_size", _MOVEMENTS_PAGE)
    scope = Scope(request.key.owner, state.settings.rest_multi_chain, {})
    wanted = request.query.get("account_id")
    oldest_ns = (request.now_us - rest_rows.TWO_MONTHS_US) * 1_000
    found = [
        row
        for row in rest_rows.movements(state.ledger)
        if row.run.at_ns >= oldest_ns
        and scope.sees(row.change.account, "")
        and wanted in {None, state.ledger.records[row.change.account].account_id}
        and rest_rows.fits(row, request.query)
    ]
    shown, pages = _page(request, found, min(rows, _MOVEMENTS_PAGE))
    return {"message": [rest_rows.movement(state, row) for row in shown], **pages}


_BY_ID = {"account", "account_run_history", "account_movements"}
_ENDPOINTS: Mapping[str, Callable[[Request], Row]] = {
    "assets": _assets,
    "accounts": _accounts,
    "account": _account,
    "account_run_history": _run_history,
    "account_movements": _account_movements,
    "movements": _movements,
}
