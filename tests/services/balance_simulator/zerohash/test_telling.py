"""What subscribers are told of runs, and what goes astray."""

import json
from decimal import Decimal

import pytest


def _balances(told):
    return [word["body"]["balance"] for word in told]


def test_each_account_of_a_run_has_a_message_of_its_own(desk):
    """A withdrawal is told as available and collateral, under one run and movement."""
    one = desk(amount_form="kept", update_run_id="int")
    peer, _ = one.subscribe()
    one.operate("request_withdrawal", asset="BTC", amount="0.1")
    told = [word["body"] for word in peer.take()]
    assert [("available", "12.40000000", "-0.1"), ("collateral", "0.1", "0.1")] == [
        (body["account_type"], body["balance"], body["movements"][0]["change"])
        for body in told
    ]
    assert 1 == len({body["run_id"] for body in told})
    assert 1 == len({body["movements"][0]["movement_id"] for body in told})


def test_run_that_nets_to_zero_is_told(desk):
    """The balance is the same and the message real."""
    one = desk(amount_form="kept")
    peer, _ = one.subscribe()
    one.operate("net_zero", asset="BTC", amount="0.10000000")
    (told,) = peer.take()
    assert ["0.10000000", "-0.10000000"] == [
        moved["change"] for moved in told["body"]["movements"]
    ]
    assert "12.50000000" == told["body"]["balance"]


def test_chains_are_told_under_one_name(desk):
    """Summed, a transfer between chains is one message; repeated, there are two."""
    move = {"asset": "USDC.SOL", "amount": "100", "to_asset": "USDC.ETH"}
    one = desk(amount_form="short")
    peer, rows = one.subscribe(multi_chain=False, asset="USDC")
    one.operate("transfer", **move)
    (told,) = peer.take()
    assert [rows[0]["balance"]] == _balances([told]) == ["1615091.1"]
    assert ["-100", "100"] == [m["change"] for m in told["body"]["movements"]]
    other = desk(amount_form="short", chains="repeated")
    peer, _ = other.subscribe(multi_chain=False, asset="USDC")
    other.operate("transfer", **move)
    assert ["1359900", "250100"] == _balances(peer.take())


def test_subscribers_hear_what_they_asked_for(desk):
    """Filters hold for updates, each subscriber has its own names."""
    one = desk(subaccounts=1, amount_form="short")
    chains, _ = one.subscribe(asset="USDC.SOL")
    plain, _ = one.subscribe(multi_chain=False)
    customer, _ = one.subscribe(account_owner="PLAT01C00001")
    one.operate("deposit", asset="USDC.SOL", amount="1")
    one.operate("deposit", asset="BTC", amount="1", participant=1)
    assert ["1360001"] == _balances(chains.take())
    assert ["1615092.1", "2.25"] == _balances(plain.take())
    assert ["2.25"] == _balances(customer.take())


def test_another_platform_hears_nothing(desk):
    """Accounts of one platform are no business of the other's."""
    one = desk(accounts=2)
    peer, _ = one.subscribe()
    one.operate("deposit", asset="BTC", amount="1", participant="PLAT01-2")
    assert [] == peer.take()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("gap", ["14.5", "15.5"]), ("reorder", ["14.5", "13.5", "15.5"])],
)
def test_updates_are_lost_or_change_places(desk, fault, expected):
    """Without a sequence number nobody can tell but by the figures."""
    one = desk(amount_form="short")
    peer, _ = one.subscribe()
    one.venue.fault(fault)
    for _ in range(3):
        one.operate("deposit", asset="BTC", amount="1")
    assert expected == _balances(peer.take())


def test_update_is_cut_or_comes_twice(desk):
    """A cut one cannot be read; the last one is repeated word for word."""
    one = desk()
    peer, _ = one.subscribe()
    one.venue.fault("truncate")
    one.operate("deposit", asset="BTC", amount="1")
    with pytest.raises(json.JSONDecodeError):
        peer.take()
    peer.told.clear()
    one.operate("deposit", asset="BTC", amount="1")
    one.venue.fault("duplicate")
    first, second = peer.take()
    assert first == second


def test_figures_can_be_unreadable(desk):
    """NaN by a fault, nineteen decimals by the books."""
    one = desk(amount_form="kept")
    peer, _ = one.subscribe()
    one.venue.fault("figure", text="NaN")
    one.operate("deposit", asset="BTC", amount="1")
    one.operate("adjust", asset="ETH", amount="0.0000000000000000001")
    assert ["NaN", "818.5500000000000000001"] == _balances(peer.take())


def test_words_nobody_knows_are_told_as_they_are(desk):
    """Types of runs, movements and accounts are open sets."""
    one = desk()
    peer, _ = one.subscribe()
    words = {"run_type": "rain", "movement_type": "drop", "type": "cloud"}
    one.operate("adjust", asset="BTC", amount="1", label="sky_7", **words)
    body = peer.take()[0]["body"]
    assert ("rain", "cloud", "sky_7", "drop") == (
        body["run_type"],
        body["account_type"],
        body["account_label"],
        body["movements"][0]["movement_type"],
    )


def test_what_is_told_is_the_truth_after_any_traffic(desk):
    """Picture and updates together are the books of those who listened."""
    one = desk(subaccounts=2, runs_in_order=False)
    peer, rows = one.subscribe()
    held = {}

    def take(body):
        owner = "/".join(
            body[f] for f in ("participant_code", "account_group", "account_label")
        )
        held[owner, body["asset"], body["account_type"]] = Decimal(body["balance"])

    for row in rows:
        take(row)
    produce = one.venue.producer({})
    for _ in range(500):
        produce(100)
    for word in peer.take():
        take(word["body"])
    books = {
        (owner, asset, kind): Decimal(text)
        for owner, assets in one.venue.truth()["balances"].items()
        for asset, kinds in assets.items()
        for kind, text in kinds.items()
    }
    assert books == held
