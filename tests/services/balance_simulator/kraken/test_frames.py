"""What the venue says, held against the examples of its own pages."""

import json
from decimal import Decimal

from balance_simulator.kraken import frames
from balance_simulator.kraken.assets import AssetList
from balance_simulator.kraken.ledger import Entry, LedgerLine, Wallet
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state

# Examples of the page "Balances" (WebSocket v2): deposit update, trade update, ack.
_DEPOSIT = """{
  "channel": "balances", "type": "update",
  "data": [{
    "ledger_id": "ADKKFF-WEA5A-CNUBHG", "ref_id": "AGBWUJRU-LAREZ-W3UFAN",
    "timestamp": "2023-09-22T10:23:42.925034Z", "type": "deposit", "asset": "BTC",
    "asset_class": "currency", "category": "deposit", "wallet_type": "spot",
    "wallet_id": "main", "amount": 0.01, "fee": 0.0, "balance": 0.02
  }],
  "sequence": 2
}"""
_SNAPSHOT = """{
  "channel": "balances",
  "data": [
    {"asset": "BTC", "asset_class": "currency", "balance": 1.2,
     "wallets": [{"type": "spot", "id": "main", "balance": 1.2}]},
    {"asset": "MATIC", "asset_class": "currency", "balance": 500,
     "wallets": [{"type": "spot", "id": "main", "balance": 300},
                 {"type": "earn", "id": "flex", "balance": 200}]},
    {"asset": "USD", "asset_class": "currency", "balance": 80595.4943,
     "wallets": [{"type": "spot", "id": "main", "balance": 80595.4943}]}
  ],
  "type": "snapshot", "sequence": 1
}"""
_ACK = """{
  "method": "subscribe", "result": {"channel": "balances", "snapshot": true},
  "success": true, "time_in": "2023-10-16T13:29:13.111530Z",
  "time_out": "2023-10-16T13:29:13.111775Z"
}"""
_AT = 1695378222925034


def _pairs(text):
    """Read JSON as lists of pairs, so that the order of keys is compared too."""
    return json.loads(
        text, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=list
    )


def _line(**changes):
    entry = Entry(
        Wallet("AA96N74GCGEFN8KI", "XXBT"),
        "AGBWUJRU-LAREZ-W3UFAN",
        "deposit",
        Decimal("0.0100000000"),
        Decimal("0.0000000000"),
        category="deposit",
    )._replace(**changes)
    balance = Decimal("0.0200000000")
    return LedgerLine("ADKKFF-WEA5A-CNUBHG", _AT, entry, balance, balance + 1)


def _row(line, scope="wallet", assets=None, *, with_user=False, rebased=True):
    return frames.update_row(
        line, assets or AssetList(), scope, with_user=with_user, rebased=rebased
    )


def test_update_is_the_pages_example():
    """Keys, their order and their values are those of the deposit example."""
    assert _pairs(frames.update([_row(_line())], 2)) == _pairs(_DEPOSIT)


def test_numbers_keep_the_zeros_of_their_scale():
    """Amounts are JSON numbers with all ten decimals of bitcoin."""
    row = _row(_line())
    assert '"amount":0.0100000000,"fee":0.0000000000,"balance":0.0200000000}' in row


def test_update_balance_covers_what_is_asked_for():
    """With scope account the balance is that of all wallets."""
    assert '"balance":1.0200000000' in _row(_line(), "account")


def test_subtype_and_user_appear_only_when_there_are_some():
    """A subtype stands after the type, a missing category is left out."""
    line = _line(type="earn", subtype="autoallocation", category="")
    row = json.loads(_row(line, with_user=True))
    assert list(row)[3:6] == ["type", "subtype", "asset"]
    assert "category" not in row
    assert row["user"] == "AA96N74GCGEFN8KI"


def test_snapshot_is_the_pages_example():
    """A user with the example's balances is told in the example's words."""
    state = new_state(KrakenSettings(funded=False), 0)
    (user,) = state.ledger.users
    for asset, names, amount in [
        ("BTC", ("spot", "main"), "1.2"),
        ("MATIC", ("spot", "main"), "300"),
        ("MATIC", ("earn", "flex"), "200"),
        ("USD", ("spot", "main"), "80595.4943"),
        ("SOL", ("spot", "main"), "0"),
    ]:
        wallet = state.operations.wallet(user, asset, names)
        state.operations.deposit(wallet, Decimal(amount), Decimal(0), 0)
    told = frames.snapshot(state.ledger, user, 1, zeros=False, rebased=True)
    assert _pairs(told) == _pairs(_SNAPSHOT)
    assert '"balance":1.2000000000' in told
    assert "SOL" in frames.snapshot(state.ledger, user, 1, zeros=True, rebased=True)


def test_ack_is_the_pages_example():
    """The ack has the example's keys; req_id follows the method when one was sent."""
    times = (1697462953111530, 1697462953111775)
    result = '{"channel":"balances","snapshot":true}'
    assert _pairs(frames.ack("subscribe", result, None, times)) == _pairs(_ACK)
    assert list(json.loads(frames.ack("subscribe", result, 9, times)))[1] == "req_id"


def test_failure_has_a_string_and_no_result():
    """A refusal says why in one string."""
    told = json.loads(
        frames.failure("ESession:Invalid session", "subscribe", 3, (0, 1))
    )
    assert told["error"] == "ESession:Invalid session"
    assert told["success"] is False
    assert told["req_id"] == 3
    assert "result" not in told


def test_status_pong_and_heartbeat():
    """Status may lack a connection id, pongs carry no success."""
    online = json.loads(frames.status("online", (1 << 64) - 1))
    assert online["data"][0]["connection_id"] == (1 << 64) - 1
    assert (
        "connection_id" not in json.loads(frames.status("maintenance", None))["data"][0]
    )
    assert list(json.loads(frames.pong(101, (0, 1)))) == [
        "method",
        "req_id",
        "time_in",
        "time_out",
    ]
    assert json.loads(frames.HEARTBEAT) == {"channel": "heartbeat"}


def test_tokenized_assets_are_told_in_shares_or_tokens():
    """Rebased figures are tokens times the multiplier; the books hold tokens."""
    assets = AssetList()
    assets.rebase("AAPLx", Decimal("1.5"))
    line = _line(wallet=Wallet("U", "AAPLx"))
    assert '"balance":0.0300000000' in _row(line, assets=assets)
    assert '"balance":0.0200000000' in _row(line, assets=assets, rebased=False)
    assert '"asset_class":"tokenized_asset"' in _row(line, assets=assets)


def test_rest_balance_is_net_of_pending_withdrawals():
    """REST leaves out what is about to go, and adds wallets that share a code."""
    state = new_state(KrakenSettings(funded=False), 0)
    operations = state.operations
    (user,) = state.ledger.users
    spot = operations.wallet(user, "BTC")
    operations.deposit(spot, Decimal(5), Decimal(0), 0)
    operations.request_withdrawal(spot, Decimal(1), Decimal("0.5"))
    for wallet_id in ("bonded", "locked", "liquid"):
        earn = operations.wallet(user, "BTC", ("earn", wallet_id))
        operations.deposit(earn, Decimal("0.1"), Decimal(0), 0)
    assert frames.rest_balances(state.ledger, user, rebased=True) == {
        "XXBT": "3.5000000000",
        "XBT.B": "0.2000000000",
        "XBT.F": "0.1000000000",
    }


def test_assets_are_keyed_by_internal_or_display_name():
    """Both lists join on the altname; suffixed views are listed, too."""
    plain = frames.rest_assets(AssetList(), by_display_name=False)
    shown = frames.rest_assets(AssetList(), by_display_name=True)
    assert plain["XXBT"]["altname"] == shown["BTC"]["altname"] == "XBT"
    assert plain["XXBT"]["decimals"] == 10
    assert {"ZUSD", "XXDG", "XETH", "ETH2", "XTZ", "USD.HOLD", "USD.M"} <= set(plain)
    assert {"USD", "DOGE", "ETH", "USDT", "BTC.M"} <= set(shown)
    assert "AAPLx" not in plain
    kind = "tokenized_asset"
    assert set(frames.rest_assets(AssetList(), by_display_name=True, kind=kind)) == {
        "AAPLx"
    }
    assert {row["altname"] for row in plain.values()} == {
        row["altname"] for row in shown.values()
    }


def test_hold_is_zero_at_the_scale_of_the_balance():
    """Extended balances carry a hold of zero with as many decimals."""
    assert [frames.no_hold("12.3400"), frames.no_hold("7")] == ["0.0000", "0"]
