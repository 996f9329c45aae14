"""Bitfinex's frames as documented and captured: each digit, code and layout."""

import pytest
from independent.bitfinex_desk import Desk
from independent.scripted_bitfinex import (
    SEQ_ALL,
    TIMESTAMP,
    ScriptedBitfinex,
    answered,
    digits,
    row,
)

from balance_shared.errors import VenueUnavailable
from balance_shared.testing import run_virtually

SEED_META = (
    '{"reason":"TRADE","order_id":34988418651,"order_id_oppo":34990541044,'
    '"trade_price":"7804.6","trade_amount":"0.01"}'
)
SEED_UPDATE = f'["exchange","BTC",1.61169184,0,null,"Exchange 0.01 BTC for USD @ 7804.6",{SEED_META}]'


def desk(*rows: str, **settings) -> Desk:
    """Return a desk whose venue tells these wallet arrays as its picture."""
    venue = ScriptedBitfinex()
    venue.picture = lambda line: line.tell("ws", f"[{','.join(rows)}]")
    return Desk(venue, **settings)


@pytest.mark.parametrize("granted", [None, 0, SEQ_ALL, TIMESTAMP, SEQ_ALL | TIMESTAMP])
def test_seed_frames_in_every_layout(granted):
    """The documented frames arrive digit for digit, whichever flags are granted."""

    def key_words(event):
        return event.wallet, event.wallet_id, event.nature, event.asset

    async def scenario():
        seen = desk('["exchange","SAN",19.76,0,null,null,null]', bitfinex_calc=False)
        seen.venue.granted = granted
        numbered = granted is not None and granted & SEQ_ALL
        async with seen.open("live" if numbered else "degraded"):
            seen.venue.last.tell("wu", SEED_UPDATE)
            await seen.until(lambda: seen.events("update"))
            (san,), (btc,) = seen.events("snapshot"), seen.events("update")
            assert ("spot", "exchange", "asset", "SAN") == key_words(san)
            assert ("spot", "exchange", "asset", "BTC") == key_words(btc)
            assert ("19.76", None) == (digits(san.balance), san.available)
            assert (0, 1) == (san.snapshot_index, san.snapshot_size)
            assert ("1.61169184", None, None) == (
                digits(btc.balance),
                btc.available,
                btc.delta,
            )
            assert ("1.61169184", "wallet") == (
                digits(btc.reported_balance),
                btc.balance_scope,
            )
            assert btc.snapshot_id is None
            assert (granted or 0) & SEQ_ALL == (SEQ_ALL if btc.sequence else 0)
            if (granted or 0) & TIMESTAMP:
                assert btc.venue_time is not None
                assert abs((btc.received_at - btc.venue_time).total_seconds()) < 0.1
            else:
                assert btc.venue_time is None
        assert not seen.venue.faults

    run_virtually(scenario())


def test_rows_of_every_length():
    """Three to eight places are read; what is missing is unknown, not zero."""

    async def scenario():
        seen = desk(
            '["exchange","A3",1.10]',
            '["exchange","A4",2,0.5]',
            '["exchange","A5",3,0,0]',
            '["exchange","A7",4,0,1.25,null,null]',
            '["exchange","A8",5,0,null,null,null,null]',
            '["exchange","A9",6,0,6,null,null,{"new":[1]},"more"]',
            bitfinex_calc=False,
        )
        async with seen.open():
            assert [
                ("spot/exchange", "A3", "1.1", None),
                ("spot/exchange", "A4", "2", None),
                ("spot/exchange", "A5", "3", "0"),
                ("spot/exchange", "A7", "4", "1.25"),
                ("spot/exchange", "A8", "5", None),
                ("spot/exchange", "A9", "6", "6"),
            ] == seen.told()
        assert not seen.letters()

    run_virtually(scenario())


DIGITS = {
    "-1e-08": "-0.00000001",
    "2.71e-06": "0.00000271",
    "5.7E-7": "0.00000057",
    "-1E+2": "-100",
    "11.960650700086292": "11.960650700086292",
    "0.000000000000000001": "0.000000000000000001",
    "12345678901234567890.123456789012345678": "12345678901234567890.123456789012345678",
    "-99999999999999999999.999999999999999999": "-99999999999999999999.999999999999999999",
    "7": "7",
    "-0": "0",
    "0": "0",
    "1e19": "10000000000000000000",
    "1.50000000000000000000000000": "1.5",
}


def test_every_digit():
    """Dust, exponents, integers and 38 digits are told as sent, in both kinds."""

    async def scenario():
        rows = [row("exchange", f"C{i}", text) for i, text in enumerate(DIGITS)]
        seen = desk(*rows, bitfinex_calc=False)
        async with seen.open():
            for i, text in enumerate(DIGITS):
                seen.venue.last.tell("wu", row("funding", f"C{i}", text))
            await seen.until(lambda: len(seen.events("update")) == len(DIGITS))
            for kind in ("snapshot", "update"):
                for event, told in zip(seen.events(kind), DIGITS.values(), strict=True):
                    assert told == digits(event.balance)
                    assert event.reported_balance == event.balance
        assert not seen.letters()

    run_virtually(scenario())


@pytest.mark.parametrize(
    "bad",
    [
        row("exchange", "BTC", "0.1234567890123456789"),
        row("exchange", "BTC", "123456789012345678901.5"),
        row("exchange", "BTC", "null"),
        row("exchange", "BTC", '"NaN"'),
        row("exchange", "BTC", "true"),
        row("exchange", "BTC", "[1]"),
        row("exchange", "BTC", "1e400"),
        row("exchange", "BTC", "2", "0", '"NaN"', "null", "null"),
        '["exchange","BTC"]',
        "[]",
        "{}",
        '"exchange"',
        "null",
        "7",
        '[null,"BTC",1]',
        '["exchange",null,1]',
        '["exchange","",1]',
        '["","BTC",1]',
    ],
)
@pytest.mark.parametrize("kind", ["ws", "wu"])
def test_an_unreadable_row_is_never_a_silent_balance(bad, kind):
    """A row that cannot be read is a dead letter, and the feed does not say live."""

    async def scenario():
        rows = [row("exchange", "BTC", "1"), row("exchange", "ETH", "2")]
        seen = desk(*rows, bitfinex_calc=False)
        async with seen.open():
            text = f"[{bad},{row('exchange', 'ETH', '3')}]" if kind == "ws" else bad
            first = len(seen.statuses())
            seen.venue.last.tell(kind, text)
            await seen.until(seen.letters)
            await seen.rest(0.3)
            later = {status.state for status in seen.statuses()[first:]}
            assert later - {"live"}, "still live"
            btc = [e for e in seen.events() if e.asset == "BTC"]
            assert {"1"} == {digits(event.balance) for event in btc}, "invented"
            assert not seen.events("absent") or "BTC" not in {
                e.asset for e in seen.events("absent")
            }
            if kind == "ws" and bad != '"exchange"':  # which makes the picture flat
                assert "3" == seen.books()["spot/exchange ETH"]

    run_virtually(scenario())


def test_codes_with_maps():
    """UST is Tether, UDC its dollar, F0 collateral apart, TERRAUST and others as sent."""

    async def scenario():
        codes = ["UST", "UDC", "EUT", "TERRAUST", "BTC", "LNX", "TESTUSDT", "XAUT:X"]
        seen = desk(
            *(row("exchange", code, f"1.{i}") for i, code in enumerate(codes)),
            row("margin", "UST", "5"),
            row("margin", "USTF0", "11.960650700086292"),
            row("margin", "BTCF0", "0.5"),
            row("trading", "EUR", "6"),
            row("deposit", "EUR", "7"),
            row("vault/1|x", "EUR", "8"),
            bitfinex_calc=False,
        )
        async with seen.open():
            found = {
                (e.venue_asset, e.wallet, e.wallet_id): (e.asset, e.nature, e.network)
                for e in seen.events("snapshot")
            }
            here = ("spot", "exchange")
            assert ("USDT", "asset", "") == found["UST", *here]
            assert ("USDC", "asset", "") == found["UDC", *here]
            assert ("EURT", "asset", "") == found["EUT", *here]
            assert ("USTC", "asset", "") == found["TERRAUST", *here]
            for code in ("BTC", "LNX", "TESTUSDT", "XAUT:X"):
                assert (code, "asset", "") == found[code, *here]
            assert ("USDT", "asset", "") == found["UST", "margin", "margin"]
            assert ("USDT", "asset", "") == found["USTF0", "derivatives", "margin"]
            assert ("BTC", "asset", "") == found["BTCF0", "derivatives", "margin"]
            assert ("EUR", "unknown", "") == found["EUR", "unspecified", "vault/1|x"]
            assert len(codes) + 6 == len(seen.books())
        assert not seen.letters()

    run_virtually(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        OSError,
        answered("<html>busy</html>", 503),
        answered('["error",11010,"ratelimit: error"]', 500),
        answered("[]"),
        answered("[[],[]]"),
        answered('[[["UST"],["UDC",7],null,{}]]'),
        answered("[[["),
    ],
)
def test_codes_without_maps(answer):
    """Without the venue's maps Tether is still Tether, and no two wallets are one."""

    async def scenario():
        seen = desk(
            row("margin", "UST", "5"),
            row("margin", "USTF0", "11"),
            row("exchange", "TERRAUST", "3"),
            row("exchange", "UDC", "4"),
            bitfinex_calc=False,
        )
        seen.venue.answer(
            "conf", VenueUnavailable("x") if answer is OSError else answer
        )
        async with seen.open():
            found = {
                e.venue_asset: (e.wallet, e.asset) for e in seen.events("snapshot")
            }
            assert {
                "UST": ("margin", "USDT"),
                "USTF0": ("derivatives", "USDT"),
                "TERRAUST": ("spot", "USTC"),
                "UDC": ("spot", "USDC"),
            } == found

    run_virtually(scenario())


def test_two_codes_of_one_asset_do_not_merge():
    """USDT and UST in one wallet stay two balances."""

    async def scenario():
        seen = desk(
            row("exchange", "UST", "5"),
            row("exchange", "USDT", "7"),
            bitfinex_calc=False,
        )
        async with seen.open():
            assert {"5", "7"} == set(seen.books().values())
            seen.venue.last.tell("wu", row("exchange", "USDT", "8"))
            seen.venue.last.tell("wu", row("exchange", "UST", "9"))
            await seen.until(lambda: len(seen.events("update")) == 2)
            assert {"9", "8"} == set(seen.books().values())

    run_virtually(scenario())


def test_trade_leg_and_fee_leg():
    """Two lines of one deal with one time are two events, ids of both kept exactly."""

    async def scenario():
        seen = desk(row("exchange", "BTC", "1"), bitfinex_calc=False)
        async with seen.open():
            meta = SEED_META.replace("34988418651", "9007199254740993")
            line = seen.venue.last
            line.tell(
                "wu",
                row("exchange", "BTC", "1.5", "0", "null", '"Exchange 0.5 BTC"', meta),
            )
            line.tell(
                "wu",
                row("exchange", "BTC", "1.499", "0", "null", '"Trading fees"', "null"),
            )
            await seen.until(lambda: len(seen.events("update")) == 2)
            trade, fee = seen.events("update")
            assert ("1.5", "1.499") == (digits(trade.balance), digits(fee.balance))
            assert trade.event_id != fee.event_id
            assert trade.sequence + 1 == fee.sequence
            kept = str(trade)
            assert "9007199254740993" in kept
            assert "34990541044" in kept
            assert "7804.6" in kept
            assert "Exchange 0.5 BTC" in kept
            assert "Trading fees" in str(fee)

    run_virtually(scenario())


def test_description_in_a_picture_is_no_new_event():
    """A picture that describes its last change makes one snapshot a wallet, no more."""

    async def scenario():
        seen = desk(SEED_UPDATE, bitfinex_calc=False)
        async with seen.open():
            (event,) = seen.events()
            assert "snapshot" == event.kind
            assert event.movements == ()

    run_virtually(scenario())


def test_pictures_empty_flat_and_anew():
    """An empty picture is a picture, a flat one has a wallet, a later one replaces."""

    async def scenario():
        seen = desk(bitfinex_calc=False)
        async with seen.open():
            assert [] == seen.events()
            line = seen.venue.last
            line.tell("ws", row("exchange", "BTC", "1"))
            await seen.until(lambda: seen.events("snapshot"))
            line.tell("wu", row("exchange", "ETH", "2"))
            line.tell("ws", f"[{row('exchange', 'ETH', '3')}]")
            await seen.until(lambda: seen.events("absent"))
            (gone,) = seen.events("absent")
            assert ("BTC", 0) == (gone.asset, gone.balance)
            eth = seen.events("snapshot")[-1]
            assert eth.snapshot_id == gone.snapshot_id
            assert 2 == eth.snapshot_size == gone.snapshot_size
            assert {0, 1} == {eth.snapshot_index, gone.snapshot_index}
            line.tell("ws", "[]")
            await seen.until(lambda: len(seen.events("absent")) == 2)
            assert {"0"} == set(seen.books().values())
            ids = [event.event_id for event in seen.events()]
            assert len(ids) == len(set(ids))
        assert 1 == len(seen.venue.connections)

    run_virtually(scenario())


def test_the_same_wallet_twice_in_a_picture():
    """A picture that names a wallet twice is not believed in silence."""

    async def scenario():
        seen = desk(
            row("exchange", "BTC", "1"),
            row("exchange", "BTC", "2"),
            bitfinex_calc=False,
        )
        seen.start()
        await seen.rest(20)
        await seen.stop()

    run_virtually(scenario())


@pytest.mark.parametrize("update", [row("exchange", "BTC", "9"), "[]"])
def test_an_update_before_the_picture(update):
    """What comes before the picture never makes the feed live by itself."""

    async def scenario():
        venue = ScriptedBitfinex()
        venue.picture = lambda line: line.tell("wu", update)
        seen = Desk(venue, bitfinex_calc=False)
        seen.start()
        await seen.rest(5)
        assert "live" not in seen.states()
        await seen.stop()

    run_virtually(scenario())
