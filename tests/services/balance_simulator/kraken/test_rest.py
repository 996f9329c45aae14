"""The REST calls, without sockets."""

import json
from decimal import Decimal

import pytest

from balance_simulator.kraken.auth import QUERY_FUNDS, QUERY_LEDGER, signature
from balance_simulator.kraken.rest import PAGE, Call, answer
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state

_SECOND = 1_000_000


@pytest.fixture
def state():
    """Return a venue with one account."""
    return new_state(KrakenSettings(), 0)


def _call(state, endpoint, now_us=0, method="POST", **parameters):
    path = f"/0/private/{endpoint}"
    nonce = max(state.keys.last_nonces.values(), default=0) + 1
    body = json.dumps({"nonce": nonce, **parameters}).encode()
    headers = {
        "API-Key": state.settings.api_key,
        "API-Sign": signature(state.settings.api_secret, path, str(nonce), body),
        "Content-Type": "application/json",
        "User-Agent": "test",
    }
    return answer(state, Call(method, path, headers, body), now_us)


def _read(state, endpoint, **arguments):
    return json.loads(_call(state, endpoint, **arguments).text)


def _public(state, **query):
    call = Call("GET", "/0/public/Assets", {"User-Agent": "test"}, query=query)
    return json.loads(answer(state, call, 0).text)


def test_balance_has_strings_under_rest_codes(state):
    """Amounts are strings with all decimals, wallets have their codes."""
    result = _read(state, "Balance")["result"]
    assert result["XXBT"] == "1011.1908877900"
    assert result["XBT.F"] == "0.0003102764"
    assert result["USD.M"] == "1213029.2780"
    assert result["ETH2.S"] == "198.3970800000"
    assert result["AAPLx.T"] == "10.2500000000"


def test_rebase_multiplier_is_rebased_base_or_nothing(state):
    """Tokens and shares differ by the multiplier; another word is refused."""
    state.assets.rebase("AAPLx", Decimal(2))
    code = "AAPLx.T"
    for word, expected in (("rebased", "20.5000000000"), ("base", "10.2500000000")):
        result = _read(state, "Balance", rebase_multiplier=word)["result"]
        assert result[code] == expected
    assert _read(state, "Balance", rebase_multiplier=None)["result"][code][:2] == "20"
    refused = _read(state, "Balance", rebase_multiplier="both")
    assert refused == {"error": ["EGeneral:Invalid arguments:rebase_multiplier"]}


def test_extended_balance_has_no_holds(state):
    """BalanceEx tells balance and hold as strings."""
    row = _read(state, "BalanceEx")["result"]["ZUSD"]
    assert row == {"balance": "17128861.6158", "hold_trade": "0.0000"}


def test_token_opens_the_stream_for_900_seconds(state):
    """The answer names the token and its life."""
    result = _read(state, "GetWebSocketsToken")["result"]
    assert result["expires"] == 900
    assert state.tokens.check(result["token"], 0).key == "simulated-key"


def test_ledgers_are_paged_from_the_newest(state):
    """Pages of 50 by offset cover every line once, whatever their order inside."""
    wallet = state.operations.wallet(state.user(None), "USD")
    for second in range(1, 121):
        state.operations.deposit(wallet, Decimal(second), Decimal(0), second * _SECOND)
    seen, offset = {}, 0
    while True:
        result = _read(state, "Ledgers", start=0, end=120, ofs=offset)["result"]
        assert result["count"] == 120
        if not result["ledger"]:
            break
        assert len(result["ledger"]) <= PAGE
        assert not seen.keys() & result["ledger"].keys()
        seen |= result["ledger"]
        offset += PAGE
    assert [str(row["amount"]) for row in seen.values()] != sorted(
        row["amount"] for row in seen.values()
    )
    assert sum(Decimal(row["amount"]) for row in seen.values()) == 120 * 121 // 2


def test_ledgers_start_is_exclusive_and_end_inclusive(state):
    """By time or by ledger id, start is left out and end is in."""
    wallet = state.operations.wallet(state.user(None), "USD")
    ids = [
        state.operations.deposit(wallet, Decimal(1), Decimal(0), at * _SECOND)[0][0]
        for at in range(1, 6)
    ]
    for start, end in ((2, 4), ("2.000000", "4.0"), (ids[1], ids[3])):
        result = _read(state, "Ledgers", start=start, end=end)["result"]
        assert set(result["ledger"]) == {ids[2], ids[3]}
    row = result["ledger"][ids[2]]
    assert list(row) == [
        "refid",
        "time",
        "type",
        "subtype",
        "aclass",
        "asset",
        "amount",
        "fee",
        "balance",
    ]
    assert (row["asset"], row["amount"], row["time"]) == ("ZUSD", "1.0000", 3.0)


def test_ledgers_can_be_filtered(state):
    """Asset and type narrow the answer, and the count can be left out."""
    wallet = state.operations.wallet(state.user(None), "XTZ")
    state.operations.withdraw(wallet, Decimal(1), Decimal(0), 5)
    result = _read(state, "Ledgers", asset="XTZ,XBT", type="withdrawal")["result"]
    assert (len(result["ledger"]), result["count"]) == (1, 1)
    result = _read(state, "Ledgers", asset="all", without_count=True)["result"]
    assert len(result["ledger"]) == len(state.ledger.lines)
    assert "count" not in result
    assert _read(state, "Ledgers", ofs="x")["error"] == ["EGeneral:Invalid arguments"]


def test_assets_can_be_narrowed(state):
    """One asset is found by key or altname, an unknown one is an error."""
    assert set(_public(state, asset="XBT,ZUSD")["result"]) == {"XXBT", "ZUSD"}
    assert set(_public(state, asset="BTC", assetVersion="1")["result"]) == {"BTC"}
    assert _public(state, asset="NOPE")["error"] == ["EQuery:Unknown asset"]


def test_permissions_are_checked_for_each_call():
    """A key for funds only cannot read the ledger nor make tokens."""
    state = new_state(KrakenSettings(permissions=frozenset({QUERY_FUNDS})), 0)
    assert _read(state, "Balance")["error"] == []
    for endpoint in ("Ledgers", "GetWebSocketsToken"):
        assert _read(state, endpoint)["error"] == ["EGeneral:Permission denied"]
    state = new_state(KrakenSettings(permissions=frozenset({QUERY_LEDGER})), 0)
    assert _read(state, "Balance")["error"] == ["EGeneral:Permission denied"]


def test_starter_counter_refuses_the_sixteenth_call():
    """Balance costs 1 and Ledgers 2 of the 15 points."""
    state = new_state(KrakenSettings(rate_limit=15), 0)
    for endpoint in ["Ledgers"] * 7 + ["Balance"]:
        assert _read(state, endpoint)["error"] == []
    assert _read(state, "Balance")["error"] == ["EAPI:Rate limit exceeded"]
    assert _read(state, "Balance", now_us=4 * _SECOND)["error"] == []
    assert state.statistics.rest_errors == {"EAPI:Rate limit exceeded": 1}


def test_unknown_and_unsigned_calls_are_refused(state):
    """A GET, an unknown endpoint and a missing User-Agent each fail their own way."""
    assert _read(state, "Dance")["error"] == ["EGeneral:Unknown method"]
    assert _read(state, "Balance", method="GET")["error"] == ["EGeneral:Unknown method"]
    call = Call("POST", "/0/private/Balance", {"API-Key": "simulated-key"}, b"nonce=1")
    refused = answer(state, call, 0)
    assert (refused.status, refused.content_type) == (403, "text/html")


@pytest.mark.parametrize(
    ("fault", "arguments", "error"),
    [
        ("nonce", {}, "EAPI:Invalid nonce"),
        ("rate_limit", {}, "EAPI:Rate limit exceeded"),
        ("permission_denied", {"to": "rest"}, "EGeneral:Permission denied"),
        ("throttle", {"seconds": 9}, "EService: Throttled: 1009"),
        ("error", {"text": "EService:Busy"}, "EService:Busy"),
        ("lockout", {"seconds": 3}, "EGeneral:Temporary lockout"),
        ("maintenance", {"seconds": 3}, "EService:Unavailable"),
    ],
)
def test_faults_answer_with_the_venues_words(state, fault, arguments, error):
    """Each fault is met once, or until it is over."""
    now_us = 1000 * _SECOND
    state.faults.arm(fault, arguments, now_us)
    assert _read(state, "Balance", now_us=now_us) == {"error": [error]}
    assert _read(state, "Balance", now_us=now_us + 3 * _SECOND)["error"] == []


def test_broken_answers(state):
    """HTML pages, raw texts, cut texts and delays are what was asked for."""
    state.faults.arm("html", {"status": 200, "endpoint": "Balance"}, 0)
    assert _call(state, "Balance").text.startswith("<!DOCTYPE")
    state.faults.arm("raw", {"text": "{}", "to": "rest"}, 0)
    assert _call(state, "Balance").text == "{}"
    whole = _call(state, "Balance").text
    state.faults.arm("truncate", {"to": "rest"}, 0)
    assert _call(state, "Balance").text == whole[: len(whole) // 2]
    state.faults.arm("delay", {"seconds": 2}, 0)
    assert _call(state, "Balance").delay_s == 2
    assert _call(state, "Balance").delay_s == 0
    assert state.statistics.rest_calls == {"Balance": 6}
