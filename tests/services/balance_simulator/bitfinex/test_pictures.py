"""What array frames carry."""

import pytest

from balance_simulator.bitfinex import pictures
from balance_simulator.bitfinex.filters import Filters


def _picture(desk, **members):
    return desk.log_in(None, **members)[1][1][2]


def test_picture_has_every_wallet_ever_used(desk):
    """Zeros, dust below zero and fifteen decimals are all there, available is null."""
    rows = _picture(desk, filter=["wallet"])
    assert 20 == len(rows)
    assert {"exchange", "margin", "funding"} == {row[0] for row in rows}
    text = pictures.wallets(desk.state, Filters())
    for row in (
        '["exchange","DSH",19.76,0,null,null,null]',
        '["exchange","SAN",0,0,null,null,null]',
        '["exchange","JPY",-1e-8,0,null,null,null]',
        '["margin","USTF0",11.960650700086292,0,null,null,null]',
    ):
        assert row in text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"row_fields": 3}, '[["exchange","DSH",19.76]]'),
        ({"row_fields": 5}, '[["exchange","DSH",19.76,0,null]]'),
        (
            {"row_fields": 8, "ws_available": True, "ws_descriptions": True},
            '[["exchange","DSH",19.76,0,19.76,"Opening",null,null]]',
        ),
        ({"flat_ws": True}, '["exchange","DSH",19.76,0,null,null,null]'),
        ({"funded": False}, "[]"),
    ],
)
def test_pictures_come_in_every_form(desk_with, settings, expected):
    """Section A1.6: other lengths, a flat single wallet, descriptions, no wallet."""
    filters = Filters(("wallet-exchange-DSH",))
    assert expected == pictures.wallets(desk_with(**settings).state, filters)


def test_update_is_that_of_the_seed_page(desk):
    """Description and meta tell why; available is null."""
    ear, _ = desk.log_in(None, filter=["wallet-exchange-BTC"])
    trade = {"base": "BTC", "quote": "USD", "volume": "0.01", "price": "7804.6"}
    desk.venue.operate("trade", trade)
    leg, fee = (frame[2] for frame in ear.heard())
    assert ["exchange", "BTC", 0, None] == [leg[0], leg[1], leg[3], leg[4]]
    assert "Exchange 0.01 BTC for USD @ 7804.6" == leg[5]
    meta = leg[6]
    assert ("TRADE", "7804.6", "0.01") == (
        meta["reason"],
        meta["trade_price"],
        meta["trade_amount"],
    )
    assert meta["order_id"] > 1 << 31
    assert fee[5].startswith("Trading fees for 0.01 BTC")
    assert fee[6] is None


def test_figures_can_be_anything(desk):
    """One picture tells a figure as it was asked for, be it no number at all."""
    desk.venue.fault("figure", text="NaN", to="snapshot")
    assert pictures.wallets(desk.state, Filters()).startswith(
        '[["exchange","BTC",NaN,0,null,null,null],["exchange","ETH",818.55'
    )
    assert "NaN" not in pictures.wallets(desk.state, Filters())


def test_calculated_rows_may_repeat_the_description(desk_with):
    """The last change is told again by a setting only."""
    wallet = desk_with().state.operations.wallet("exchange", "DSH")
    plain, repeated = (
        pictures.calculated(desk_with(calc_describes=flag).state, wallet)
        for flag in (False, True)
    )
    assert '["exchange","DSH",19.76,0,19.76,null,null]' == plain
    assert '["exchange","DSH",19.76,0,19.76,"Opening",null]' == repeated
