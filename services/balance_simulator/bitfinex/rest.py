"""The venue's REST calls: one request in, one answer out, without sockets and clock.

Source: pages "rest-auth-wallets", "rest-auth-ledgers", "rest-public-platform-status",
"rest-public-conf"; errors are ``["error",CODE,"text"]`` with HTTP 500, too many calls
HTTP 429 with ``{"error":"ERR_RATE_LIMIT"}``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from balance_simulator.bitfinex import auth, frames, pictures
from balance_simulator.bitfinex.auth import RefusedError
from balance_simulator.bitfinex.currencies import MAPS
from balance_simulator.bitfinex.ledger import LedgerLine
from balance_simulator.bitfinex.state import State
from balance_simulator.calls import Answer, Call, through_front
from balance_simulator.faults import Fault

LEDGERS_MAX = 2500
_WALLETS = "/v2/auth/r/wallets"
_LEDGERS = "/v2/auth/r/ledgers/"
_CONF = "/v2/conf/"
_STATUS = "/v2/platform/status"
_FIELDS_MIN = 7
_HTML = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>"
    "502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body></html>"
)
_FORBIDDEN = "<html><head><title>403 Forbidden</title></head><body></body></html>"
_LIMITED = Answer('{"error":"ERR_RATE_LIMIT"}', 429)


class _Endpoint(NamedTuple):
    name: str
    run: Callable[[State, Mapping[str, Any], str], str]
    scope: str
    rest_of_path: str


def answer(state: State, call: Call, now_us: int) -> Answer:
    """Answer a call, after the faults that are armed for it."""
    state.statistics.rest_calls[_name(call)] += 1
    return through_front(
        state.faults, call, _HTML, lambda: _answer(state, call, now_us)
    )


def _name(call: Call) -> str:
    """Return what a call is counted as: ``wallets``, ``ledgers``, ``conf``."""
    if call.path.startswith(_LEDGERS):
        return "ledgers"
    return "conf" if call.path.startswith(_CONF) else call.endpoint


def _answer(state: State, call: Call, now_us: int) -> Answer:
    if state.faults.active(Fault.FORBIDDEN, now_us):
        return Answer(_FORBIDDEN, 403, "text/html")
    if call.path == _STATUS:
        return Answer(f"[{int(state.operative(now_us))}]")
    limit = state.limit(_name(call))
    locked = state.faults.active(Fault.LOCKOUT, now_us)
    asked = state.faults.take(Fault.RATE_LIMIT, endpoint=call.endpoint)
    if not limit.take(now_us) or locked or asked:
        state.statistics.rest_errors["ERR_RATE_LIMIT"] += 1
        return _LIMITED
    try:
        if call.path.startswith(_CONF):
            return Answer(_conf(state, call.path.removeprefix(_CONF)))
        if not state.operative(now_us):
            raise RefusedError(auth.MAINTENANCE, "maintenance")
        return Answer(_private(state, call))
    except RefusedError as refused:
        state.statistics.rest_errors[str(refused)] += 1
        return Answer(frames.rest_error(refused.code, refused.words), 500)


def _conf(state: State, names: str) -> str:
    """Return a list holding one list for each key; keys are joined by commas."""
    try:
        return frames.compact(
            [MAPS[name](state.currencies) for name in names.split(",")]
        )
    except KeyError as unknown:
        raise RefusedError(auth.BAD_PARAMETER, f"key: invalid {unknown}") from None


def _endpoint(call: Call) -> _Endpoint:
    if call.method == "POST" and call.path == _WALLETS:
        return _Endpoint("wallets", _wallets, "wallets", "")
    if call.method == "POST" and call.path.startswith(_LEDGERS):
        code, slash, end = call.path.removeprefix(_LEDGERS).partition("/")
        if (code, slash, end) == ("hist", "", ""):
            return _Endpoint("hist", _ledgers, "history", "")
        if end == "hist":
            return _Endpoint("hist", _ledgers, "history", code)
    raise RefusedError(auth.GENERIC, "ERR_UNK")


def _private(state: State, call: Call) -> str:
    endpoint = _endpoint(call)
    if state.faults.take(Fault.NONCE, endpoint=endpoint.name):
        state.keys.refuse_nonce()
    key = state.keys.check_rest(call.path, call.headers, call.body)
    _raise_armed(state, endpoint.name)
    key.require(endpoint.scope)
    return endpoint.run(state, _parameters(call.body), endpoint.rest_of_path)


def _raise_armed(state: State, endpoint: str) -> None:
    """Refuse as an armed fault says, though the call itself is right."""
    if state.faults.take(Fault.PERMISSION_DENIED, to="rest", endpoint=endpoint):
        raise RefusedError(auth.GENERIC, "action: unauthorized")
    error = state.faults.take(Fault.ERROR, endpoint=endpoint)
    if error:
        code, _, words = str(error.arguments["text"]).partition(":")
        if code.isdecimal():
            raise RefusedError(int(code), words)
        raise RefusedError(auth.GENERIC, str(error.arguments["text"]))


def _parameters(body: bytes) -> Mapping[str, Any]:
    """Read the body; an empty one is an empty object."""
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        raise RefusedError(auth.BAD_PARAMETER, "body: invalid") from None
    if not isinstance(parsed, dict):
        raise RefusedError(auth.BAD_PARAMETER, "body: invalid")
    return parsed


def _wallets(state: State, _parameters: Mapping[str, Any], _rest: str) -> str:
    """Return the seven positions of each wallet; the last two tell the last change."""
    figure = state.faults.take(Fault.FIGURE, to="rest")
    fields = max(state.settings.row_fields, _FIELDS_MIN)
    rows: list[str] = []
    for wallet in state.ledger:
        balance = frames.number(state.ledger.balance(wallet))
        if figure and not rows:
            balance = str(figure.arguments["text"])
        rows.append(
            frames.wallet_row(
                state.ledger,
                wallet,
                balance,
                fields,
                available=state.settings.rest_available,
                words=pictures.last_words(state, wallet),
            )
        )
    return f"[{','.join(rows)}]"


def _ledgers(state: State, parameters: Mapping[str, Any], code: str) -> str:
    """Return lines from the newest: ``start`` and ``end`` in ms, both inclusive."""
    limit = _whole(parameters, "limit", state.settings.ledgers_limit)
    if not 1 <= limit <= LEDGERS_MAX:
        raise RefusedError(auth.BAD_PARAMETER, "limit: invalid")
    start, end = _whole(parameters, "start", 0), _whole(parameters, "end", 1 << 62)
    found = islice(_matching(state, code, start, end), limit)
    with_wallet = state.settings.ledger_wallets
    rows = (
        frames.ledger_row(line, _code(state, line), with_wallet=with_wallet)
        for line in found
    )
    return f"[{','.join(rows)}]"


def _whole(parameters: Mapping[str, Any], name: str, default: int) -> int:
    value = parameters.get(name)
    if value is None:
        return default
    if type(value) is not int:
        raise RefusedError(auth.BAD_PARAMETER, f"{name}: invalid")
    return value


def _code(state: State, line: LedgerLine) -> str:
    return state.currencies.internal(line.entry.wallet.currency).code


def _matching(state: State, code: str, start: int, end: int) -> Iterator[LedgerLine]:
    for line in reversed(state.ledger.lines):
        at_ms = line.at_us // 1000
        if at_ms < start:
            return
        if at_ms <= end and code in {"", _code(state, line)}:
            yield line
