"""What Bitfinex is asked: calculations, and wallets by REST."""

import pytest
from independent.bitfinex_desk import Desk
from independent.scripted_bitfinex import (
    ScriptedBitfinex,
    answered,
    auth_ok,
    digits,
    row,
)

from balance_shared.errors import VenueUnavailable
from balance_shared.testing import run_virtually

BTC, ETH, USD = ("exchange", "BTC"), ("margin", "ETH"), ("funding", "USD")


def venue() -> ScriptedBitfinex:
    """Return a venue with three wallets."""
    return ScriptedBitfinex(wallets={BTC: "1.5", ETH: "2", USD: "100"})


def test_calculations_fill_what_is_free():
    """Each null is asked about, and the answer is the same balance with its free part."""

    async def scenario():
        seen = Desk(venue())
        seen.venue.available = {BTC: "1.25", ETH: "2", USD: "0"}
        async with seen.open():
            await seen.until(lambda: len(seen.events("update")) == 3)
            assert {
                ("spot/exchange", "BTC", "1.5", "1.25"),
                ("margin/margin", "ETH", "2", "2"),
                ("funding/funding", "USD", "100", "0"),
            } == set(seen.told("update"))
            seen.venue.available[BTC] = "0.5"
            seen.venue.change(*BTC, "1.75")
            await seen.until(lambda: len(seen.events("update")) == 5)
            assert [
                ("spot/exchange", "BTC", "1.75", None),
                ("spot/exchange", "BTC", "1.75", "0.5"),
            ] == seen.told("update")[3:]
            await seen.rest(120)
            assert 5 == len(seen.events("update")), "an answer asks nothing"
            assert not [event for event in seen.events() if event.delta is not None]
        assert not seen.venue.faults

    run_virtually(scenario())


def test_lost_calculations():
    """A question that is never answered leaves null, and is no storm of questions."""

    async def scenario():
        seen = Desk(venue())
        async with seen.open():
            await seen.rest(600)
            assert {None} == {told[3] for told in seen.told()}
            assert len(seen.venue.asked) <= 60
            assert "live" == seen.state
        assert not seen.venue.faults

    run_virtually(scenario())


def test_many_wallets_are_asked_within_the_limits():
    """A hundred wallets are all asked about, at most eight a second, codes as sent."""

    async def scenario():
        pockets = {("exchange", f"C{i}"): "1" for i in range(100)}
        pockets |= {("margin", "USTF0"): "3", ("exchange", "UST"): "4"}
        seen = Desk(ScriptedBitfinex(wallets=dict(pockets)))
        seen.venue.available = dict.fromkeys(pockets, "0.5")
        async with seen.open():
            await seen.until(lambda: len(seen.events("update")) == 102, 60)
            assert {f"wallet_{wallet}_{code}" for wallet, code in pockets} == {
                name for _, name in seen.venue.asked
            }
            assert {"0.5"} == {told[3] for told in seen.told("update")}
        assert not seen.venue.faults

    run_virtually(scenario())


def test_a_late_answer_with_another_balance():
    """An answer that carries another balance is that balance, told as a change."""

    async def scenario():
        seen = Desk(venue(), bitfinex_calc=False)
        async with seen.open():
            seen.venue.last.tell("wu", row(*BTC, "1.6", "0", "1.1", "null", "null"))
            await seen.until(lambda: seen.events("update"))
            assert [("spot/exchange", "BTC", "1.6", "1.1")] == seen.told("update")

    run_virtually(scenario())


def test_polls_agree():
    """Polls that tell the same are consistent, over all wallets."""

    async def scenario():
        seen = Desk(venue(), feeds="ws,rest", poll_interval_s=10, bitfinex_calc=False)
        async with seen.open():
            await seen.until(lambda: len(seen.verdicts()) >= 3)
            assert {("consistent", 3)} == {
                (v.verdict, v.checked) for v in seen.verdicts()
            }
            assert not seen.events("update", "backfill", "absent")
            assert "live" == seen.statuses("rest")[-1].state
        assert not seen.venue.faults

    run_virtually(scenario())


def test_polls_disagree():
    """A balance that the stream never told is found, named and mended."""

    async def scenario():
        seen = Desk(venue(), feeds="ws,rest", poll_interval_s=10, bitfinex_calc=False)
        async with seen.open():
            await seen.until(seen.verdicts)
            seen.venue.wallets[BTC] = "1.5000000001"
            await seen.until(lambda: seen.verdicts()[-1].verdict == "inconsistent")
            (difference,) = seen.verdicts()[-1].differences
            assert ("BTC", "1.5", "1.5000000001", "0.0000000001") == (
                difference.asset,
                digits(difference.streamed),
                digits(difference.observed),
                digits(abs(difference.residual)),
            )
            await seen.until_anew(2)
            assert "1.5000000001" == seen.books()["spot/exchange BTC"]
            await seen.until(lambda: seen.verdicts()[-1].verdict == "consistent")
        assert not seen.venue.faults

    run_virtually(scenario())


def test_polls_in_motion():
    """While balances move, polls accuse nobody."""

    async def scenario():
        seen = Desk(venue(), feeds="ws,rest", poll_interval_s=5, bitfinex_calc=False)
        async with seen.open():
            for step in range(240):
                seen.venue.change(*BTC, f"2.{step:04}")
                await seen.rest(0.25)
            assert "inconsistent" not in {v.verdict for v in seen.verdicts()}
            assert ["connecting", "syncing", "live"] == seen.states()
            await seen.until(lambda: seen.verdicts()[-1].verdict == "consistent")

    run_virtually(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        answered('["error",10001,"ERR"]', 500),
        answered('["error","11111","?"]', 200),
        answered('["error",11010,"ratelimit: error"]', 429),
        answered('{"error":"ERR_RATE_LIMIT"}', 429),
        answered('{"error":"ERR_RATE_LIMIT"}', 200),
        answered('["error",20060,"maintenance"]', 503),
        answered('["error",10114,"nonce: small"]', 500),
        answered("<html>gateway</html>", 502),
        answered("<html>all well</html>", 200),
        answered("", 200),
        answered("null", 200),
        answered("{}", 200),
        answered("7", 200),
        answered('[["exchange","BTC",1.5,0,1.5,null,null],["margin","ETH",2', 200),
        answered("[null]", 200),
        answered("[[]]", 200),
        answered("[[[]]]", 200),
        answered("[]", 500),
        answered(f"[{row('exchange', 'BTC', '9')}]", 500),
        VenueUnavailable("no line"),
    ],
)
def test_polls_that_fail(answer):
    """An answer that is none changes no balance and is never read as no balances."""

    async def scenario():
        seen = Desk(venue(), feeds="ws,rest", poll_interval_s=10, bitfinex_calc=False)
        seen.venue.answer("wallets", answer)
        async with seen.open():
            await seen.rest(60)
            assert not seen.task.done()
            assert "inconsistent" not in {v.verdict for v in seen.verdicts()}
            assert "consistent" not in {v.verdict for v in seen.verdicts()}
            assert "live" == seen.state, seen.reason
            assert "live" not in seen.states("rest")
            assert not seen.events("update", "absent", "backfill")
            seen.venue.answers.clear()
            await seen.until(
                lambda: "consistent" in {v.verdict for v in seen.verdicts()}, 100
            )

    run_virtually(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        answered("[]"),
        answered(f"[{row('exchange', 'BTC', '1.5')}]"),
    ],
)
def test_short_polls_beside_a_stream(answer):
    """A poll that leaves out held wallets is a difference, and no balance is changed."""

    async def scenario():
        seen = Desk(venue(), feeds="ws,rest", poll_interval_s=10, bitfinex_calc=False)
        seen.venue.answer("wallets", answer)
        async with seen.open():
            await seen.rest(100)
            assert "inconsistent" in {v.verdict for v in seen.verdicts()}
            assert "degraded" == seen.state
            assert "1.5" == seen.books()["spot/exchange BTC"]
            assert not seen.events("absent")
            assert len(seen.venue.connections) <= 3

    run_virtually(scenario())


def test_rest_alone():
    """With polls alone: a picture, then changes with their delta, then absences."""

    async def scenario():
        seen = Desk(venue(), feeds="rest", poll_interval_s=5)
        seen.venue.available = {BTC: "1"}
        seen.start()
        await seen.until(lambda: len(seen.events("snapshot")) == 3)
        assert {("spot/exchange", "BTC", "1.5", "1")} < set(seen.told("snapshot"))
        assert {3} == {event.snapshot_size for event in seen.events()}
        seen.venue.wallets[BTC] = "1.25"
        del seen.venue.wallets[USD]
        await seen.until(lambda: seen.events("absent"))
        (less,), (gone,) = seen.events("update"), seen.events("absent")
        assert ("1.25", "-0.25") == (digits(less.balance), digits(less.delta))
        assert ("USD", "0", None) == (
            gone.asset,
            digits(gone.balance),
            gone.snapshot_id,
        )
        for answer in ("[]", '["error",1,"x"]', "[[", f"[{row(*BTC, 'null')}]"):
            seen.venue.answer("wallets", answered(answer))
            await seen.rest(20)
        await seen.stop()
        assert not seen.venue.faults

    run_virtually(scenario())


def test_nonces_survive_a_busy_key():
    """Somebody else's larger nonce is a refusal that is tried again, with a fresh one."""

    async def scenario():
        seen = Desk(venue(), feeds="ws,rest", poll_interval_s=10, bitfinex_calc=False)
        small = {
            "event": "auth",
            "status": "FAILED",
            "code": 10114,
            "msg": "nonce: small",
        }
        seen.venue.auth = [small, dict(small, code="10114"), auth_ok()]
        async with seen.open():
            assert "live" == seen.state
        assert not seen.venue.faults

    run_virtually(scenario())


@pytest.mark.parametrize("code", [10000, 10001, "10020", None])
def test_refused_calculations(code):
    """An error after the picture is about questions: they end, the balances go on."""

    async def scenario():
        seen = Desk(venue())
        async with seen.open():
            await seen.until(lambda: seen.venue.asked)
            seen.venue.last.say(
                {"event": "error", "code": code, "msg": "calc: invalid"}
            )
            await seen.rest(1)
            asked = len(seen.venue.asked)
            seen.venue.change(*BTC, "4")
            await seen.rest(60)
            assert asked == len(seen.venue.asked)
            assert ["connecting", "syncing", "live"] == seen.states()
            assert "4" == seen.books()["spot/exchange BTC"]
            assert ["calc_refused"] == [letter.reason for letter in seen.letters()]

    run_virtually(scenario())
