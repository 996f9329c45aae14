"""The REST calls."""

import json

import pytest

from balance_simulator.calls import Call

_WALLETS = "/v2/auth/r/wallets"
_HIST = "/v2/auth/r/ledgers/hist"


def _get(desk, path):
    return desk.venue.answer(Call("GET", path, {}), desk.now_us)


def _rows(desk, body=None, path=_HIST):
    answer = desk.post(path, json.dumps(body).encode() if body else b"")
    assert 200 == answer.status
    return json.loads(answer.text)


def test_wallets_tell_what_is_available_and_the_last_change(desk_with):
    """Section A2: seven positions, the fifth filled unless a setting says not."""
    answer = desk_with().post(_WALLETS)
    assert '["exchange","DSH",19.76,0,19.76,"Opening",null]' in answer.text
    assert 20 == len(json.loads(answer.text))
    answer = desk_with(rest_available=False).post(_WALLETS, b"{}")
    assert '["exchange","DSH",19.76,0,null,"Opening",null]' in answer.text


def test_history_is_newest_first_between_two_times(desk):
    """Start and end are inclusive milliseconds; the limit cuts from the newest."""
    for seconds in range(3):
        desk.wait(1)
        amount = str(seconds + 1)
        desk.venue.operate("deposit", {"asset": "LTC", "amount": amount})
    newest = desk.now_us // 1000
    assert [3, 2] == [row[5] for row in _rows(desk, {"limit": 2})]
    times = {"start": newest - 1000, "end": newest - 1000}
    (row,) = _rows(desk, times)
    assert [2, None, None] == [row[5], row[4], row[7]]
    assert ["LTC", "exchange", newest - 1000] == row[1:4]
    assert row[8].endswith(" on wallet exchange")
    assert [] == _rows(desk, {"start": newest + 1})
    assert 4 == len(_rows(desk, path="/v2/auth/r/ledgers/LTC/hist"))
    assert 23 == len(_rows(desk, {"limit": 2500}))


def test_history_may_hide_the_wallet_in_the_text(desk_with):
    """Section A2: the wallet is null, and the description ends in its name."""
    rows = _rows(desk_with(ledger_wallets=False))
    assert {None} == {row[2] for row in rows}
    assert rows[0][8].endswith(" on wallet funding")


@pytest.mark.parametrize(
    "body",
    [b'{"limit":2501}', b'{"limit":0}', b'{"start":"now"}', b"[]", b"{"],
)
def test_wrong_parameters_are_refused(desk, body):
    """Whatever cannot be read is a bad parameter, with HTTP 500."""
    answer = desk.post(_HIST, body)
    assert 500 == answer.status
    assert answer.text.startswith('["error",10020,')


def test_refusals_are_lists_with_http_500(desk_with):
    """Section A2: unknown keys, used nonces, missing permissions, unknown paths."""
    desk = desk_with(permissions=frozenset({"wallets"}))
    assert 200 == desk.post(_WALLETS, nonce=5).status
    again = desk.post(_WALLETS, nonce=5)
    assert (500, '["error",10114,"nonce: small"]') == (again.status, again.text)
    unknown = desk.post(_WALLETS, key="nobody")
    assert '["error",10100,"apikey: invalid"]' == unknown.text
    assert desk.post(_HIST).text.startswith('["error",10001,')
    for path in ("/v2/auth/w/order/submit", "/v2/auth/r/ledgers/LTC/other"):
        assert desk.post(path).text.startswith('["error",10001,')


def test_stream_and_rest_share_the_nonces_of_a_key(desk):
    """A login takes a nonce away from REST, but not from another key."""
    desk.log_in(nonce=1000)
    assert 500 == desk.post(_WALLETS, nonce=999).status
    assert 200 == desk.post(_WALLETS, nonce=999, key="simulated-key-2").status
    assert 1 == desk.venue.statistics()["invalid_nonces"]


def test_maps_and_status_are_open_to_everybody(desk):
    """Maps asked for together come in one list; the status is 1, or 0."""
    keys = "pub:map:currency:sym,pub:map:currency:undl"
    symbols, underlying = json.loads(_get(desk, f"/v2/conf/{keys}").text)
    assert ["UST", "USDt"] in symbols
    assert ["USTF0", "UST"] in underlying
    (listed,) = json.loads(_get(desk, "/v2/conf/pub:list:currency").text)
    assert {"BTC", "USTF0", "TESTUSD", "TERRAUST"} <= set(listed)
    assert 500 == _get(desk, "/v2/conf/pub:map:pair:sym").status
    assert "[1]" == _get(desk, "/v2/platform/status").text
    desk.venue.fault("maintenance", seconds=5)
    assert "[0]" == _get(desk, "/v2/platform/status").text
    assert '["error",20060,"maintenance"]' == desk.post(_WALLETS).text


def test_calls_of_a_minute_are_limited(desk_with):
    """Above the limit an endpoint answers 429 until the block is over."""
    desk = desk_with(rest_per_minute=2, blocked_s=30)
    answers = [desk.post(_WALLETS) for _ in range(3)]
    assert [200, 200, 429] == [answer.status for answer in answers]
    assert '{"error":"ERR_RATE_LIMIT"}' == answers[2].text
    assert 200 == desk.post(_HIST).status
    desk.wait(61)
    assert 200 == desk.post(_WALLETS).status
    limits = desk.venue.statistics()["rate_limit"]
    assert {"peak": 3, "refused": 1} == limits["wallets"]


@pytest.mark.parametrize(
    ("fault", "arguments", "status", "start"),
    [
        ("html", {"status": 502}, 502, "<html>"),
        ("html", {"status": 200}, 200, "<html>"),
        ("raw", {"to": "rest", "text": "[]"}, 200, "[]"),
        ("nonce", {}, 500, '["error",10114,'),
        ("rate_limit", {}, 429, '{"error":'),
        ("forbidden", {}, 403, "<html>"),
        ("lockout", {}, 429, '{"error":'),
        ("error", {"text": "10001:ERR"}, 500, '["error",10001,"ERR"]'),
        ("error", {"text": "ERR"}, 500, '["error",10001,"ERR"]'),
        ("permission_denied", {"to": "rest"}, 500, '["error",10001,'),
        ("figure", {"to": "rest"}, 200, '[["exchange","BTC",NaN,'),
    ],
)
def test_faults_answer_in_place_of_the_venue(desk, fault, arguments, status, start):
    """Each fault of REST is met by one call, the next one is answered."""
    desk.venue.fault(fault, **arguments)
    answer = desk.post(_WALLETS)
    assert (status, start) == (answer.status, answer.text[: len(start)])
    desk.venue.fault("clear")
    assert desk.post(_WALLETS).text.startswith('[["exchange","BTC",1011.')


def test_answers_may_be_torn_or_slow(desk):
    """Half of an answer cannot be read; a slow one says how slow."""
    whole = desk.post(_WALLETS).text
    desk.venue.fault("truncate", to="rest")
    desk.venue.fault("delay", seconds=7, count=2)
    assert whole[: len(whole) // 2] == desk.post(_WALLETS).text
    assert 7 == desk.post(_WALLETS).delay_s
