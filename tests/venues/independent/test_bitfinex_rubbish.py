"""Rubbish on every kind of frame: the connector lives and invents nothing."""

import pytest
from independent.bitfinex_desk import Desk
from independent.scripted_bitfinex import ScriptedBitfinex

from balance_shared.testing import run_virtually

BTC, ETH = ("exchange", "BTC"), ("margin", "ETH")


def desk() -> Desk:
    """Return a desk at a venue with two wallets."""
    venue = ScriptedBitfinex(wallets={BTC: "1.5", ETH: "2"})
    return Desk(venue, bitfinex_calc=False)


RUBBISH = [
    "",
    " ",
    "null",
    "7",
    '"hb"',
    "[]",
    "{}",
    "[0]",
    '[0,"wu"]',
    '[0,"ws"]',
    '[0,"ws",null]',
    '[0,"ws",{}]',
    '[0,"ws",7]',
    "[0,null,[]]",
    '[null,"wu",[]]',
    '["0","wu",["exchange","BTC",9]]',
    '[0,"wu",["exchange","BTC",9]',
    '{"event":"auth","status":"OK"}',
    '{"event":7}',
    '{"event":"info","code":[]}',
    '{"event":"info","version":"2"}',
    "<html>504</html>",
    b"\xff\xfe\x00",
    b'[0,"wu",["exchange","\xff",1]]',
    '[0,"hb","x"]',
    '[0,"wu",["exchange","BTC",9],null,null,null]',
    '[0,"wu",["exchange","BTC",9],"2","3","4"]',
    '[0,"wu",["exchange","BTC",9],2.5,3,4]',
    '[0,"wu",["exchange","BTC",9],-1,3,4]',
    '[0,"wu",["exchange","BTC",9],2,3,99999999999999999999]',
    '[0,"wu",["exchange","BTC",9],2,3,null]',
    "[" * 3000,
    '{"event":"error","code":10001}',
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_never_makes_a_balance(rubbish):
    """Whatever comes, the connector lives, invents nothing and ends up right."""

    async def scenario():
        seen = desk()
        async with seen.open():
            line = seen.venue.last
            line.say(rubbish)
            await seen.rest(20)
            seen.venue.change(*BTC, "4")
            await seen.rest(40)
            assert not seen.task.done()
            balances = {e.balance for e in seen.events() if e.asset == "BTC"}
            told = {str(balance.normalize()) for balance in balances}
            valid = (
                isinstance(rubbish, str) and '"wu",["exchange","BTC",9],2,' in rubbish
            )
            assert told <= {"1.5", "4"} | ({"9"} if valid else set()), told
            assert seen.state == "live", (seen.state, seen.reason)
            assert "4" == seen.books()["spot/exchange BTC"]
            assert not seen.venue.faults

    run_virtually(scenario())


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_before_the_picture(rubbish):
    """Rubbish instead of a picture never looks like one."""

    async def scenario():
        seen = desk()
        seen.venue.picture = lambda line: line.say(rubbish)
        seen.start()
        await seen.rest(20)
        assert not seen.task.done()
        assert "live" not in seen.states(), rubbish
        assert not seen.events()
        seen.venue.picture = None
        await seen.until_state("live", 100)
        await seen.stop()
        assert not seen.venue.faults

    run_virtually(scenario())


def test_a_row_that_stays_unreadable():
    """Degraded and named, no storm; its balance stays, the others go on."""

    async def scenario():
        seen = desk()
        async with seen.open():
            seen.venue.wallets[BTC] = "0.1234567890123456789"
            seen.venue.last.close(1012)
            await seen.until_state("degraded")
            assert "BTC" in seen.reason
            seen.venue.change(*ETH, "3")
            await seen.rest(240)
            assert "degraded" == seen.state
            assert {
                "spot/exchange BTC": "1.5",
                "margin/margin ETH": "3",
            } == seen.books()
            assert not seen.events("absent")
            assert len(seen.venue.connections) <= 6
            seen.venue.wallets[BTC] = "0.125"
            await seen.until_state("live", 400)
            assert "0.125" == seen.books()["spot/exchange BTC"]
        assert not seen.venue.faults

    run_virtually(scenario())
