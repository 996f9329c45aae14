"""Bitfinex in trouble: gaps, refusals, maintenance, silence, rubbish, restarts."""

import asyncio
import json

import pytest
from independent.bitfinex_desk import Desk
from independent.scripted_bitfinex import ScriptedBitfinex, auth_ok, row

from balance_shared.errors import VenueRefused
from balance_shared.testing import run_virtually

BTC, ETH = ("exchange", "BTC"), ("margin", "ETH")


def desk(**settings) -> Desk:
    """Return a desk at a venue with two wallets."""
    venue = ScriptedBitfinex(wallets={BTC: "1.5", ETH: "2"})
    return Desk(venue, **{"bitfinex_calc": False} | settings)


FRAMES = {
    "heartbeat": lambda line: line.beat(),
    "notice": lambda line: line.tell("n", '[1,"transfer",null,null,{},null,"OK",""]'),
    "totals": lambda line: line.tell("bu", "[4131,4131.85]"),
    "order": lambda line: line.tell("ou", '[1,null,2,"tBTCUSD"]'),
    "unknown": lambda line: line.tell("zz", "{}"),
    "public": lambda line: line.tell("", "[1,2,3]", channel=17),
    "public heartbeat": lambda line: line.beat(17),
    "update": lambda line: line.tell("wu", row("exchange", "BTC", "9")),
}


@pytest.mark.parametrize("seen_by", FRAMES.values(), ids=FRAMES)
def test_a_lost_frame_shows_on_any_frame(seen_by):
    """A missing number on any array frame is stale, a new connection, a new picture."""

    async def scenario():
        seen = desk()
        async with seen.open():
            line = seen.venue.last
            line.lose()
            seen.venue.wallets[BTC] = "9"
            seen_by(line)
            await seen.until(lambda: "stale" in seen.states())
            await seen.until_anew(2)
            assert {"spot/exchange BTC": "9", "margin/margin ETH": "2"} == seen.books()
            assert 4 == len(seen.events("snapshot"))
        assert not seen.venue.faults

    run_virtually(scenario())


def test_no_gap_where_none_is():
    """ACCOUNT_SEQ may jump, repeat and fall; other channels and types count along."""

    async def scenario():
        seen = desk()
        async with seen.open():
            line = seen.venue.last
            for number in (15300, 15300, 0, 99999999999, 12):
                line.account_number = number
                line.tell("wu", row("exchange", "BTC", "3"))
            line.say(f'[0,"n",[1,"on-req"]{line.tail()}]')
            for tell in FRAMES.values():
                tell(line)
            line.say({"event": "info", "code": 99999})
            line.say({"event": "subscribed", "channel": "ticker", "chanId": 17})
            await seen.rest(100)
            assert "live" == seen.state
            assert ["connecting", "syncing", "live"] == seen.states()
            assert "9" == seen.books()["spot/exchange BTC"]
            assert 6 == len(seen.events("update"))
            assert {"unknown_channel", "unknown_event"} == {
                letter.reason for letter in seen.letters()
            }
        assert 1 == len(seen.venue.connections)

    run_virtually(scenario())


@pytest.mark.parametrize("times", [1, 2])
def test_a_frame_told_again(times):
    """The same frame again is no new fact, and never two events of one id."""

    async def scenario():
        seen = desk()
        async with seen.open():
            line = seen.venue.last
            again = f'[0,"wu",{row("exchange", "BTC", "7")}{line.tail(20)}]'
            line.say(again)
            line.tell("wu", row("exchange", "BTC", "8"))
            for _ in range(times):
                line.say(again)
            await seen.rest(60)
            assert "live" == seen.state
            assert "8" == seen.books()["spot/exchange BTC"] or (
                len(seen.venue.connections) > 1
            ), (seen.books(), seen.states())
            ids = [event.event_id for event in seen.events()]
            assert len(ids) == len(set(ids))

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (
            {
                "event": "auth",
                "status": "FAILED",
                "code": 10100,
                "msg": "apikey: invalid",
            },
            True,
        ),
        (
            {
                "event": "auth",
                "status": "FAIL",
                "code": "10100",
                "msg": "apikey: invalid",
            },
            True,
        ),
        ({"event": "error", "code": "10100", "msg": "apikey: digest invalid"}, True),
        ({"event": "error", "code": 10100, "msg": "auth: invalid"}, False),
        (auth_ok({"wallets": {"read": 0, "write": 0}}), True),
        (auth_ok({"wallets": {"read": "0"}}), True),
        (auth_ok('{"wallets":{"read":"0","write":"0"}}'), True),
        (auth_ok({"orders": {"read": 1}}), True),
        ({"event": "auth", "status": "FAILED", "msg": "?"}, False),
        (
            {"event": "auth", "status": "FAILED", "code": 10114, "msg": "nonce: small"},
            False,
        ),
        ({"event": "auth", "status": "FAILED", "code": 55555, "msg": "?"}, False),
        ({"event": "auth", "status": "FAILED", "code": "x", "msg": "?"}, False),
        (
            {"event": "auth", "status": "FAILED", "code": 20060, "msg": "maintenance"},
            False,
        ),
        ({"event": "error", "code": 10020, "msg": "?"}, True),
        ({"event": "error"}, False),
        ({"event": "auth", "status": None}, False),
        ({"event": "auth"}, False),
    ],
)
def test_logins_refused(answer, refused):
    """A bad key or permission ends it; anything else is tried again, never live."""

    async def scenario():
        seen = desk()
        seen.venue.auth = [answer]
        task = seen.start()
        await asyncio.wait({task}, timeout=30)
        assert "live" not in seen.states()
        assert not seen.events()
        assert refused == task.done(), (seen.states(), seen.reason)
        if refused:
            assert "refused" == seen.state
            found = task.exception()
            assert isinstance(found.exceptions[0], VenueRefused)
            assert str(found.exceptions[0])
        else:
            seen.venue.auth = [auth_ok()]
            await seen.until_state("live")
        await seen.stop()
        assert not seen.venue.faults

    run_virtually(scenario())


@pytest.mark.parametrize(
    "caps",
    [
        {"wallets": {"read": 1, "write": 0}},
        {"wallets": {"read": "1", "write": "0"}},
        '{"wallets":{"read":"1","write":"0"},"orders":{"read":"0"}}',
        {"wallets": {"read": True}},
        {"wallets": {"read": 1}, "history": {"read": 0}, "ui_withdraw": {"read": 0}},
    ],
)
def test_caps_in_each_form(caps):
    """Permissions are read as numbers, texts and JSON within a text."""

    async def scenario():
        seen = desk()
        seen.venue.auth = [auth_ok(caps)]
        async with seen.open():
            assert 2 == len(seen.books())

    run_virtually(scenario())


def test_login_that_says_nothing_of_the_key():
    """The wallets show that it may read them; an empty list of them shows nothing."""

    async def scenario():
        seen = desk()
        login = {name: told for name, told in auth_ok().items() if name != "caps"}
        seen.venue.auth = [login] * 5
        async with seen.open():
            assert "1.5" == seen.books()["spot/exchange BTC"]
            seen.venue.wallets = {}
            seen.venue.last.close(1012)
            await seen.rest(20)
            assert "live" != seen.state
            assert not seen.events("absent")
            assert 2 == len(seen.books())

    run_virtually(scenario())


def test_numbers_that_are_granted_and_never_come():
    """Told, degraded, and no endless connecting."""

    async def scenario():
        seen = desk()
        seen.venue.picture = lambda line: line.say(
            f'[0,"ws",[{row("exchange", "BTC", "1.5")}],{seen.venue.millis()}]'
        )
        seen.start()
        await seen.until_state("degraded")
        update = row("exchange", "BTC", "1.25")
        seen.venue.last.say(f'[0,"wu",{update},{seen.venue.millis()}]')
        await seen.until(lambda: len(seen.events("update")) == 1)
        assert "1.25" == seen.books()["spot/exchange BTC"]
        assert 1 == len(seen.venue.connections)
        await seen.stop()

    run_virtually(scenario())


@pytest.mark.parametrize("code", [20051, "20051"])
def test_restart_of_the_venue(code):
    """A stop of the server is a new connection and a new picture."""

    async def scenario():
        seen = desk()
        async with seen.open():
            seen.venue.wallets = {ETH: "3"}
            seen.venue.last.say({"event": "info", "code": code, "msg": "stopping"})
            await seen.until_anew(2)
            assert {"spot/exchange BTC": "0", "margin/margin ETH": "3"} == seen.books()

    run_virtually(scenario())


@pytest.mark.parametrize("code", [20060, "20060"])
@pytest.mark.parametrize("ended", [20061, "20061", None])
def test_maintenance(code, ended):
    """Maintenance is said, not live; it ends with a new picture, asked for or not."""

    async def scenario():
        seen = desk()
        async with seen.open():
            line = seen.venue.last
            line.say({"event": "info", "code": code, "msg": "maintenance"})
            await seen.until_state("maintenance", 5)
            seen.venue.wallets[BTC] = "4"
            await seen.rest(30)
            assert "maintenance" == seen.state
            if ended:
                line.say({"event": "info", "code": ended, "msg": "ended"})
                await seen.rest(2)
                seen.venue.tell_picture(line)
            await seen.until_state("live", 300)
            assert "4" == seen.books()["spot/exchange BTC"]
            await seen.rest(60)
            assert "live" == seen.state
        assert not seen.venue.faults

    run_virtually(scenario())


@pytest.mark.parametrize("platform", [{"status": 0}, {"status": "0"}])
def test_a_greeting_in_maintenance(platform):
    """A venue that greets in maintenance is not live, and is tried again."""

    async def scenario():
        seen = desk()
        usual = dict(seen.venue.info)
        seen.venue.info = usual | {"platform": platform}
        seen.start()
        await seen.until_state("maintenance", 30)
        assert "live" not in seen.states()
        seen.venue.info = usual
        await seen.until_state("live", 200)
        await seen.stop()
        assert not seen.venue.faults

    run_virtually(scenario())


@pytest.mark.parametrize(
    "info", [{"event": "info", "version": 1}, {"event": "info", "version": 3}]
)
def test_another_version(info):
    """A version that is not 2 is never read as if it were."""

    async def scenario():
        seen = desk()
        seen.venue.info = info
        task = seen.start()
        await asyncio.wait({task}, timeout=30)
        assert "live" not in seen.states()
        await seen.stop()

    run_virtually(scenario())


@pytest.mark.parametrize("code", [1000, 1006, 1011, 1012])
def test_closes(code):
    """Each close is stale, then a new picture; the wallets that are gone are absent."""

    async def scenario():
        seen = desk()
        async with seen.open():
            seen.venue.wallets = {ETH: "2"}
            seen.venue.refusing = 2
            seen.venue.last.close(code)
            await seen.until_state("stale", 3)
            await seen.until_anew(2)
            (gone,) = seen.events("absent")
            assert ("BTC", "BTC", 0, None) == (
                gone.asset,
                gone.venue_asset,
                gone.balance,
                gone.delta,
            )
            epochs = [event.epoch for event in seen.events()]
            assert epochs == sorted(epochs)
            assert epochs[0] < epochs[-1]
        assert not seen.venue.faults

    run_virtually(scenario())


def test_silence():
    """Three missed heartbeats are a dead line: stale, aborted and opened anew."""

    async def scenario():
        seen = desk()
        async with seen.open():
            line = seen.venue.last
            line.beating = False
            seen.venue.wallets[BTC] = "5"
            await seen.until(lambda: "stale" in seen.states(), 46)
            await seen.until_anew(2)
            assert line.aborted
            assert "5" == seen.books()["spot/exchange BTC"]

    run_virtually(scenario())


def test_a_restart_remembers():
    """A new process tells what vanished while it was away, from what is on the bus."""

    async def scenario():
        seen = desk()
        async with seen.open():
            seen.venue.change(*BTC, "1.75")
            await seen.until(lambda: seen.events("update"))
        assert "stopped" == seen.state
        seen.venue.wallets = {ETH: "2", ("funding", "UST"): "8"}
        async with seen.open():
            assert {
                "spot/exchange BTC": "0",
                "margin/margin ETH": "2",
                "funding/funding USDT": "8",
            } == seen.books()
            (gone,) = seen.events("absent")
            assert gone.snapshot_size == 3
        seen.venue.wallets[BTC] = "0"
        async with seen.open():
            assert 1 == len(seen.events("absent"))
        assert not seen.venue.faults

    run_virtually(scenario())


def test_two_connectors_at_once():
    """Two processes of one key both keep right books and need no common nonce."""

    async def scenario():
        seen = desk()
        other = Desk(seen.venue, bitfinex_calc=False)
        async with seen.open():
            await other.rest(0.5)
            async with other.open():
                for line in seen.venue.connections:
                    line.tell("wu", row("exchange", "BTC", "6"))
                await seen.rest(1)
                assert seen.books() == other.books()
                assert "6" == seen.books()["spot/exchange BTC"]
                first, second = seen.events("update"), other.events("update")
                assert first[0].event_id != second[0].event_id

    run_virtually(scenario())


def test_the_words_of_the_login():
    """Flags, then a login with the documented fields and no order to cancel orders."""

    async def scenario():
        seen = desk()
        async with seen.open():
            conf, auth = seen.venue.last.heard[:2]
            assert {"event": "conf", "flags": 98304} == conf
            assert {"wallet"} == set(auth["filter"])
            assert not auth.keys() - {
                "event",
                "apiKey",
                "authSig",
                "authNonce",
                "authPayload",
                "filter",
            }
            told = json.dumps([frame.payload.decode() for frame in seen.frames()])
            assert "scripted-public-key" not in told

    run_virtually(scenario())
