"""What Zero Hash and NDAX say of accounts, by their documentation, field by field."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from independent.scripted_zerohash import (
    SECRET,
    SEED_PICTURE,
    SEED_UPDATE,
    bare,
    change,
    picture,
    row,
    signed,
    updated,
)
from independent.zerohash_play import Play, played

D = Decimal


def test_vectors():
    """The signatures of the scripted venue are those of the notes."""
    assert {
        "POST/{}": "TJye4lmOeBGLxZUgVq8wefyAO/y7nS6Eh2Vd/6WXmLE=",
        'POST/{"filter":{"account_type":"available"}}': (
            "iQ3/NjT3wlBbPSr6XXKk0X4XX0dpkfKPJVPW4TZO2cQ="
        ),
        'POST/{"filter":{"asset":"e₹"}}': (
            "XMtTwkfmRHZzw8M1ZjDn1Ebnwi1LAeUrmXWfp0+W7Lc="
        ),
        "GET/accounts{}": "/ebWIWPGLtbkbU7K27ygSLe0laTA85C1uVzgzk9pQ58=",
    } == {
        text: signed(f"1714445421{text}", SECRET)
        for text in (
            "POST/{}",
            'POST/{"filter":{"account_type":"available"}}',
            'POST/{"filter":{"asset":"e₹"}}',
            "GET/accounts{}",
        )
    }


@pytest.mark.parametrize("name", ["zerohash", "ndax"])
def test_seed(name):
    """Both frames of the page, field by field; the change does not fit and is kept."""

    async def scenario():
        play = Play(name)
        play.venue.greeting = SEED_PICTURE
        async with play.live(SEED_UPDATE, SEED_UPDATE):
            first, second = play.events()
            assert (name, "main", "ABC123/XXX456/general", "ws", "spot") == (
                first.venue,
                first.account,
                first.subaccount,
                first.feed,
                first.wallet,
            )
            assert ("available", "asset", "BTC", "BTC", "currency", "") == (
                first.wallet_id,
                first.nature,
                first.asset,
                first.venue_asset,
                first.asset_class,
                first.network,
            )
            assert ("snapshot", D(1), None, None, D(1), "wallet") == (
                first.kind,
                first.balance,
                first.available,
                first.delta,
                first.reported_balance,
                first.balance_scope,
            )
            assert ((), None, None, 0, 1) == (
                first.movements,
                first.venue_time,
                first.sequence,
                first.snapshot_index,
                first.snapshot_size,
            )
            ids = {"account_id": "12345", "run_id": "1"}
            assert ids | {"run_type": "unknown"} == first.attributes
            assert first.key == second.key
            assert ("update", D("1.01"), D("123.123"), D("1.01"), None) == (
                second.kind,
                second.balance,
                second.delta,
                second.reported_balance,
                second.snapshot_id,
            )
            stamp = "2022-11-04T02:51:16.202911633Z"
            assert (
                ids | {"run_type": "settlement", "run_timestamp": stamp}
                == second.attributes
            )
            assert datetime(2022, 11, 4, 2, 51, 16, 202911, UTC) == second.venue_time
            (moved,) = second.movements
            assert ("EFG456", "final_settlement", D("123.123"), None, None) == (
                moved.movement_id,
                moved.type,
                moved.change,
                moved.amount,
                moved.fee,
            )
            assert "2022-11-04T02:50:16.202915702Z" == moved.occurred_at_text
            assert datetime(2022, 11, 4, 2, 50, 16, 202915, UTC) == moved.occurred_at
            assert {
                "deposit_reference_id": "deposit 123",
                "source": "deposit 123 sending address",
                "received_address": "deposit 123 received address",
            } == moved.attributes
            assert [SEED_PICTURE, SEED_UPDATE] == [f.payload for f in play.frames()][:2]
            assert {"stream"} == {frame.source for frame in play.frames()}
            assert "live" == play.state

    played(scenario)


FIGURES = {
    "1.00": "1",
    ".25": "0.25",
    "0": "0",
    "0.00": "0",
    "1360000": "1360000",
    "5091.100000000000000000": "5091.1",
    "0.123456789012345678": "0.123456789012345678",
    "0.1234567890123456780": "0.123456789012345678",
    "99999999999999999999.999999999999999999": "99999999999999999999.999999999999999999",
    "-3.5": "-3.5",
    "1e-8": "0.00000001",
    bare("1.25"): "1.25",
    bare("123456789012345678.123456789"): "123456789012345678.123456789",
    bare("2E+3"): "2000",
}
UNREADABLE = [
    "",
    "NaN",
    bare("NaN"),
    "Infinity",
    bare("-Infinity"),
    "0.1234567890123456789",
    "100000000000000000000",
    "1e400",
    "1_000",
    "1,000",
    " 1",
    "0x10",
    "٣",
    bare("null"),
    bare("true"),
    bare("[1]"),
    bare('{"value":"1"}'),
]


def test_figures():
    """Every digit as sent; what does not fit is named, and never told."""

    async def scenario():
        figures = [*FIGURES, *UNREADABLE]
        play = Play()
        play.venue.greeting = picture(*(row(f"A{i}", f) for i, f in enumerate(figures)))
        async with play.started():
            await play.until(lambda: play.state == "degraded")
            found = dict(enumerate(FIGURES.values()))
            assert {("available", f"A{i}"): v for i, v in found.items()} == play.books()
            assert "A14" in play.statuses()[-1].reason
            assert {"invalid_row"} == {letter.reason for letter in play.letters()}
            await asyncio.sleep(200)
            assert len(play.venue.lines) <= 5

    played(scenario)


def test_unreadable_balance_is_neither_changed_nor_absent():
    """A NaN for what was known leaves it as it was, in picture and update."""

    async def scenario():
        play = Play()
        play.venue.greeting = picture(row(), row("ETH"))
        async with play.live():
            play.venue.greeting = picture(row(balance="NaN"), row("ETH", "2"))
            await play.hears(updated(change("BTC", bare("NaN"), "7")))
            await play.until(lambda: play.state == "degraded")
            assert {("available", "BTC"): "1", ("available", "ETH"): "2"} == (
                play.books()
            )
            assert [] == play.events("absent", "update")

    played(scenario)


def test_identity():
    """Participant, group, label, type and asset are one balance each, however odd."""

    async def scenario():
        rows = [
            row(participant_code="a/b", account_group="c%d", account_label="e|f"),
            row(participant_code="a", account_group="b/c%d", account_label="e|f"),
            row(participant_code="a%2Fb", account_group="c%d", account_label="e|f"),
            row("e₹", account_label="My Label"),
            row("e₹", account_label="my label"),
            row(account_label=None),
            row("btc"),
        ]
        play = Play()
        play.venue.greeting = picture(*rows)
        async with play.live():
            events = play.events()
            assert [
                "a%2Fb/c%25d/e|f",
                "a/b%2Fc%25d/e|f",
                "a%252Fb/c%25d/e|f",
                "ABC123/XXX456/My Label",
                "ABC123/XXX456/my label",
                "ABC123/XXX456/general",
                "ABC123/XXX456/general",
            ] == [event.subaccount for event in events]
            assert len(rows) == len({event.key for event in events})

    played(scenario)


def test_types():
    """What may be summed with what: six words, and one that nobody knows."""

    async def scenario():
        words = {
            "available": ("spot", "asset"),
            "collateral": ("collateral", "asset"),
            "staked": ("staked", "asset"),
            "payable": ("payable", "liability"),
            "collateral_deficiency": ("collateral_deficiency", "liability"),
            "receivable": ("receivable", "claim"),
            "escrow": ("unspecified", "unknown"),
            "Available": ("unspecified", "unknown"),
        }
        play = Play()
        play.venue.greeting = picture(*(row(kind=word) for word in words))
        async with play.live():
            assert words == {
                event.wallet_id: (event.wallet, event.nature) for event in play.events()
            }

    played(scenario)


def test_chains():
    """Codes keep their chain, and the base asset stands beside."""

    async def scenario():
        codes = {
            "USDC.ETH": ("ETH", "USDC"),
            "USDC.SOL": ("SOL", "USDC"),
            "WETH": ("", None),
            "WETH.ETH": ("ETH", "WETH"),
            "UST": ("", None),
        }
        play = Play()
        play.venue.greeting = picture(*map(row, codes))
        async with play.live(updated(change("WETH.ETH", "2", "9"))):
            (said,) = play.line.all("subscribe")
            assert said[1]["useMultiChainAssetFormat"] is True
            assert codes == {
                event.asset: (event.network, event.attributes.get("base_asset"))
                for event in play.events()
            }
            assert all(event.asset == event.venue_asset for event in play.events())

    played(scenario)


def test_one_name_for_two_holdings():
    """Without chains neither of two rows of one name is told, nor an update of one."""

    async def scenario():
        play = Play(multi_chain_assets=False)
        play.venue.greeting = picture(
            row("USDC", "1", account_id="1"), row("USDC", "2", account_id="2"), row()
        )
        async with play.started():
            await play.until(lambda: play.state == "degraded")
            assert "USDC" in play.statuses()[-1].reason
            await play.hears(updated(change("USDC", "3", "7")))
            await play.hears(updated(change("BTC", "3", "7")))
            assert {("available", "BTC"): "3"} == play.books()
            (said,) = play.line.all("subscribe")
            assert said[1]["useMultiChainAssetFormat"] is False

    played(scenario)
