"""The REST calls, without sockets."""

import json

import pytest

from balance_simulator.zerohash.settings import NdaxSettings


def _id(one, asset, kind="available"):
    rows = one.read(f"/accounts?asset={asset}&account_type={kind}")["message"]
    return rows[0]["account_id"]


def test_accounts_are_listed_with_their_fields(desk):
    """Field names of REST, amounts in the venue's forms, times in milliseconds."""
    one = desk(amount_form="kept")
    answer = one.read("/accounts?asset=BTC&account_owner=PLAT01")
    (first, second) = answer["message"]
    assert {
        "asset": "BTC",
        "account_owner": "PLAT01",
        "account_type": "available",
        "account_group": "PLAT01",
        "account_label": "general",
        "balance": "12.50000000",
        "account_id": first["account_id"],
        "last_update": one.now_us // 1_000,
    } == first
    assert "receivable" == second["account_type"]
    assert (1, 1) == (answer["page"], answer["total_pages"])


def test_pages_have_200_rows_and_begin_with_one(desk):
    """All rows are on the pages, each once; beyond the last there are none."""
    one = desk(funded=False)
    one.venue.picture({"accounts": 450})
    pages = [one.read(f"/accounts?page={page}") for page in (1, 2, 3, 4)]
    assert [200, 200, 50, 0] == [len(page["message"]) for page in pages]
    assert [(1, 3), (2, 3), (3, 3), (4, 3)] == [
        (page["page"], page["total_pages"]) for page in pages
    ]
    assert 450 == len({r["account_id"] for page in pages for r in page["message"]})
    for wrong in ("0", "-1", "one"):
        answer = one.get(f"/accounts?page={wrong}")
        assert (400, ["querystring/page must be number"]) == (
            answer.status,
            json.loads(answer.text)["errors"],
        )


def test_empty_accounts_are_not_listed_but_found_by_id(desk):
    """An account that was emptied is gone from the list, unless asked for by its id."""
    one = desk(amount_form="kept")
    account_id = _id(one, "BTC")
    one.operate("empty", asset="BTC")
    listed = one.read("/accounts?asset=BTC&account_type=available")
    assert {"message": [], "page": 1, "total_pages": 1} == listed
    assert "0.00000000" == one.read(f"/accounts/{account_id}")["message"]["balance"]
    other = desk(rest_zeros=True)
    other.operate("empty", asset="BTC")
    assert _id(other, "BTC")


def test_run_history_tells_every_run_newest_first(desk):
    """Change and new balance of each run: what a stream missed can be filled in."""
    one = desk(amount_form="kept")
    account_id = _id(one, "BTC")
    one.now_us += 5_000_000
    one.operate("withdrawal", asset="BTC", amount="0.1")
    answer = one.read(f"/accounts/{account_id}/run_history")
    assert [
        ("withdrawal", "0.0", "12.40000000"),
        ("withdrawal", "-0.1", "12.40000000"),
        ("deposit", "12.50000000", "12.50000000"),
    ] == [(r["run_type"], r["change"], r["new_balance"]) for r in answer["message"]]
    assert one.now_us // 1_000 == answer["message"][0]["run_timestamp"]
    assert isinstance(answer["message"][0]["run_id"], str)
    assert (1, 1) == (answer["page"], answer["total_pages"])


def test_movements_of_an_account_can_be_filtered_by_time(desk):
    """Milliseconds and nanoseconds are both understood."""
    one = desk(amount_form="kept")
    account_id = _id(one, "BTC")
    one.now_us += 3_600_000_000
    one.operate("deposit", asset="BTC", amount="1")
    at_ms = one.now_us // 1_000 - 1_800_000
    for limit in (at_ms, at_ms * 1_000_000):
        path = f"/accounts/{account_id}/movements"
        late = one.read(f"{path}?movement_timestamp[gt]={limit}")["message"]
        early = one.read(f"{path}?movement_timestamp[lte]={limit}")["message"]
        assert (["1"], ["12.50000000"]) == (
            [row["change"] for row in late],
            [row["change"] for row in early],
        )
    wrong = one.get(f"/accounts/{account_id}/movements?movement_timestamp[e]=now")
    assert 400 == wrong.status


def test_all_movements_go_back_two_months(desk):
    """Older ones are not told; type, account and page size narrow the rest."""
    one = desk()
    assert 16 == len(one.read("/movements")["message"])
    one.now_us += 62 * 86_400 * 1_000_000
    assert [] == one.read("/movements")["message"]
    trade = one.operate("execute_trade", base="BTC", volume="1", price="2")["trade"]
    rows = one.read("/movements")["message"]
    assert [trade] * 2 == [row["trade_id"] for row in rows]
    assert {"movement_timestamp", "account_id", "transfer_id", "origin"} <= set(rows[0])
    one.operate("deposit", asset="BTC", amount="1")
    account_id = _id(one, "BTC")
    for query in (f"account_id={account_id}", "movement_type=deposit", "page_size=1"):
        found = one.read(f"/movements?{query}")["message"]
        assert ["deposit"] == [row["movement_type"] for row in found]


@pytest.mark.parametrize(
    ("units", "expected"),
    [("seconds", 1_714_445_421), ("milliseconds", 1_714_445_421_000)],
)
def test_time_needs_no_signature(desk, units, expected):
    """The pages contradict each other on the unit, which is told."""
    one = desk(epoch_units=units)
    told = json.loads(one.get("/time", SIGNED="forged").text)["message"]
    assert {
        "epoch": expected,
        "epoch_units": units,
        "iso_8601": "2024-04-30T02:50:21.000Z",
    } == told
    one.venue.fault("clock_skew", by_s=7)
    assert expected < one.read("/time")["message"]["epoch"]


def test_assets_are_listed(desk):
    """Symbols have their chains."""
    one = desk()
    assert len(one.settings.assets) == len(one.read("/assets")["message"])
    (row,) = one.read("/assets?symbol=USDC.SOL")["message"]
    assert ("USDC.SOL", "solana", 6, True, "crypto") == (
        row["symbol"],
        row["chain_code"],
        row["precision"],
        row["stablecoin"],
        row["type"],
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"API-KEY": ""}, "Invalid API key"),
        ({"PASSPHRASE": "other"}, "Invalid passphrase"),
        ({"TIMESTAMP": "1"}, "Timestamp is not within 60 seconds"),
        ({"SIGNED": "AAAA"}, "Invalid signature"),
    ],
)
def test_wrong_credentials_are_forbidden(desk, headers, expected):
    """A 403 has a message beside a true error."""
    answer = desk().get("/accounts", **headers)
    assert (403, {"error": True, "message": expected}) == (
        answer.status,
        json.loads(answer.text),
    )


def test_query_belongs_to_what_is_signed(desk):
    """A signature over the bare path does not fit a call with a query."""
    one = desk()
    bare = one.get("/accounts")
    signed = bare.status, one.get("/accounts?page=1").status
    assert (200, 200) == signed
    headers = {"SIGNED": "/ebWIWPGLtbkbU7K27ygSLe0laTA85C1uVzgzk9pQ58="}
    assert 403 == one.get("/accounts?page=1", **headers).status


def test_ndax_has_headers_of_its_own(desk):
    """X-NDAX- in place of X-SCX-, and its money is a rupee sign."""
    one = desk(NdaxSettings)
    rows = one.read("/accounts?account_type=payable")["message"]
    assert ["e₹"] == [row["asset"] for row in rows]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/accounts"),
        ("GET", "/"),
        ("GET", "/accounts/none"),
        ("GET", "/accounts/a/b/c"),
        ("GET", "/accounts/a/positions"),
        ("GET", "/trades/1/2"),
    ],
)
def test_unknown_paths_are_not_found(desk, method, target):
    """A 404 has its error as text."""
    answer = desk().get(target, method=method)
    assert (404, {"error": "Not Found"}) == (answer.status, json.loads(answer.text))


def test_account_of_another_platform_is_not_found(desk):
    """An id alone opens nothing."""
    one = desk(accounts=2)
    (other,) = (
        record.account_id
        for account, record in one.venue.ledger.records.items()
        if account[0] == "PLAT01-2" and account[3:] == ("available", "BTC")
    )
    assert 404 == one.get(f"/accounts/{other}").status


def test_limit_is_counted_and_kept(desk):
    """Above it 429; ten seconds later all is well; the peak is known."""
    one = desk(rate_limit=2)
    assert [200, 200, 429] == [one.get("/accounts").status for _ in range(3)]
    one.now_us += 10_000_000
    assert 200 == one.get("/accounts").status
    rate = one.venue.statistics()["rate_limit"]["simulated-key"]
    assert {"counter": 1, "peak": 3, "refused": 1} == rate


@pytest.mark.parametrize(
    ("fault", "arguments", "status", "start"),
    [
        ("rate_limit", {}, 429, '{"error":"Too Many Requests"}'),
        ("permission_denied", {"to": "rest"}, 403, '{"error":true,"message":"This api'),
        ("error", {"text": "boom"}, 500, '{"error":"boom"}'),
        ("error", {"text": "bad", "status": 400}, 400, '{"errors":["bad"]}'),
        ("maintenance", {}, 503, '{"error":"Service Unavailable"}'),
        ("forbidden", {"html": False}, 403, '{"error":true,"message":"IP'),
        ("forbidden", {}, 403, "<!DOCTYPE html><html><head><title>Access denied"),
        ("html", {}, 520, "<!DOCTYPE html>"),
        ("html", {"status": 200}, 200, "<!DOCTYPE html>"),
        ("raw", {"to": "rest", "text": "{}", "status": 502}, 502, "{}"),
        ("truncate", {"to": "rest"}, 200, '{"message":[{'),
        ("figure", {"to": "rest"}, 200, '{"message":[{"asset":"USD",'),
    ],
)
def test_faults_answer_as_asked_for(desk, fault, arguments, status, start):
    """Each fault of REST, with the form of error that its status has."""
    one = desk()
    one.venue.fault(fault, **arguments)
    answer = one.get("/accounts")
    assert (status, start) == (answer.status, answer.text[: len(start)])
    assert (fault == "figure") == ('"balance":"NaN"' in answer.text)
    one.venue.fault("clear")
    assert 200 == one.get("/accounts").status


def test_slow_answer_is_slow(desk):
    """The delay is told to whoever carries the answer."""
    one = desk()
    one.venue.fault("delay", seconds=3, endpoint="accounts")
    assert (0.0, 3.0) == (one.get("/assets").delay_s, one.get("/accounts").delay_s)


def test_torn_answer_loses_a_row_between_its_pages(desk):
    """The books change after page one, the rows move up, and one is on no page."""
    one = desk(page_rows=5)
    peer, _ = one.subscribe()
    before = one.read("/accounts")["message"][0]["account_id"]
    one.venue.fault("torn")
    first = one.read("/accounts?page=1")
    rest = [one.read(f"/accounts?page={page}") for page in (2, 3)]
    seen = [row["account_id"] for page in (first, *rest) for row in page["message"]]
    held = {
        record.account_id
        for record in one.venue.ledger.records.values()
        if record.balance
    }
    assert before in set(seen) - held
    assert 1 == len(held - set(seen))
    assert ["balance-updated"] == [word["messageType"] for word in peer.take()]


def test_calls_are_counted_by_endpoint(desk):
    """Whatever the account's id, it is one endpoint."""
    one = desk()
    account_id = _id(one, "BTC")
    for path in ("", "/run_history", "/movements"):
        one.get(f"/accounts/{account_id}{path}")
    assert {
        "accounts": 1,
        "account": 1,
        "account_run_history": 1,
        "account_movements": 1,
    } == one.venue.statistics()["rest_calls"]
