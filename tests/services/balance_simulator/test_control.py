"""The control interface over HTTP."""

from decimal import Decimal

import pytest


async def test_operation_shows_in_truth_and_ledger(caller):
    """A deposit asked for over HTTP is in the books, digit by digit."""
    body = {"operation": "deposit", "asset": "SIM18", "amount": "0.000000000000000001"}
    status, answer = await caller.control("operation", body)
    assert status == 200
    assert answer["lines"][0]["amount"] == "0.000000000000000001"
    _, truth = await caller.control("truth")
    (balances,) = truth["balances"].values()
    assert balances["SIM18"]["spot/main"] == "123456789.123456789012345679"
    _, newest = await caller.control("ledger?limit=1")
    assert newest["lines"] == answer["lines"]


async def test_traffic_runs_and_stops(caller):
    """Traffic with block answers when it is done, and can be stopped."""
    _, done = await caller.control("traffic", {"count": 50, "block": True})
    assert done == {"running": False, "done": 50, "wanted": 50, "rate": 0.0}
    await caller.control("traffic", {"rate": 1})
    assert (await caller.control("traffic"))[1]["running"] is True
    await caller.control("traffic", {"stop": True})
    assert (await caller.control("traffic"))[1]["running"] is False


async def test_big_picture_is_loaded(caller):
    """As many assets as asked for are listed and held, in several wallets."""
    _, answer = await caller.control("picture", {"assets": 100, "wallets": 2})
    assert answer["loaded"] == 200
    balances = (await caller.rest("Balance"))["result"]
    held = [code for code in balances if code.startswith("SIM0")]
    assert len(held) == 200
    assert all(isinstance(Decimal(balances[code]), Decimal) for code in held)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("operation", {"operation": "theft"}),
        ("operation", {"operation": "deposit", "asset": "BTC"}),
        ("operation", {"operation": "deposit", "asset": "NO", "amount": "1"}),
        ("operation", {"operation": "deposit", "asset": "BTC", "amount": "1", "x": 1}),
        ("operation", ["deposit"]),
        ("fault", {"fault": "torn"}),
        ("traffic", {"rate": 1, "users": "nobody"}),
        ("ledger?limit=many", None),
    ],
)
async def test_wrong_requests_say_what_is_wrong(caller, name, body):
    """A wrong request answers 400 with a text, and changes nothing."""
    before = caller.venue.truth()
    status, answer = await caller.control(name, body)
    assert status == 400
    assert answer["error"]
    assert caller.venue.truth() == before
