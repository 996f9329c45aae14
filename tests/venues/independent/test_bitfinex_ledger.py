"""What Bitfinex's ledger tells late: each missed line once, in its own balance."""

import asyncio
import json

import pytest
from independent.bitfinex_desk import Desk
from independent.scripted_bitfinex import ScriptedBitfinex, answered, digits

from balance_shared.errors import VenueUnavailable
from balance_shared.testing import run_virtually

BTC, ETH, USD = ("exchange", "BTC"), ("margin", "ETH"), ("funding", "USD")


def venue() -> ScriptedBitfinex:
    """Return a venue with three wallets."""
    return ScriptedBitfinex(wallets={BTC: "1.5", ETH: "2", USD: "100"})


def late(seen: Desk) -> list[tuple[str, str, str, str | None]]:
    """Return asset, balance, delta and first movement's id of what was told late."""
    return [
        (
            event.venue_asset,
            digits(event.balance),
            digits(event.delta),
            event.movements[0].movement_id,
        )
        for event in seen.events("backfill")
    ]


def test_the_ledger_tells_what_was_missed():
    """Lines of the time away are told once, in order; those told before are not."""

    async def scenario():
        seen = Desk(venue(), bitfinex_calc=False)
        async with seen.open():
            await seen.rest(60)
            seen.venue.change(*BTC, "1.6")
            seen.venue.book(101, *BTC, "0.1", "Exchange on wallet exchange")
            await seen.rest(1)
            line = seen.venue.last
            line.lose()
            seen.venue.wallets[BTC] = "1.65"
            seen.venue.book(102, *BTC, "0.05", "Exchange on wallet exchange")
            seen.venue.wallets[BTC] = "1.649"
            seen.venue.book(103, *BTC, "-0.001", "Trading fees on wallet exchange")
            seen.venue.wallets[ETH] = "2.5"
            at = seen.venue.millis()
            seen.venue.ledger.insert(
                0,
                (
                    at,
                    f'[104,"ETH",null,{at},null,0.5,2.5,null,"Transfer on wallet margin"]',
                ),
            )
            line.beat()
            await seen.until(lambda: len(seen.events("backfill")) == 3)
            await seen.rest(30)
            assert [
                ("BTC", "1.65", "0.05", "102"),
                ("BTC", "1.649", "-0.001", "103"),
                ("ETH", "2.5", "0.5", "104"),
            ] == late(seen)
            assert {"spot", "margin"} == {e.wallet for e in seen.events("backfill")}
            assert "1.649" == seen.books()["spot/exchange BTC"]
            (first, *_) = seen.events("backfill")
            assert ("rest", 0) == (first.feed, abs(first.venue_time.microsecond % 1000))
            seen.venue.last.close(1006)
            await seen.until_anew(3)
            await seen.rest(30)
            assert 3 == len(seen.events("backfill")), "told again"
        assert not seen.venue.faults

    run_virtually(scenario())


def test_the_ledger_over_page_borders(monkeypatch):
    """Many lines of one millisecond over the pages' ends are all told, each once."""
    monkeypatch.setattr("balance_connector.venues.bitfinex.history.PAGE", 10)

    async def scenario():
        seen = Desk(venue(), bitfinex_calc=False)
        async with seen.open():
            await seen.rest(60)
            seen.venue.last.lose()
            limits = []

            def page(request):
                body = json.loads(request.body)
                limits.append(body.get("limit"))
                start, end = body.get("start", 0), body.get("end", 2**53)
                rows = [told for at, told in seen.venue.ledger if start <= at <= end]
                return answered(f"[{','.join(rows[: body['limit']])}]")

            seen.venue.answer("ledgers", page)
            total = 60
            for number in range(total):
                if number % 7 == 0:
                    await asyncio.sleep(0.001)
                seen.venue.wallets[BTC] = f"{1 + (number + 1) / 10000:.4f}"
                seen.venue.book(number + 1, *BTC, "0.0001")
            seen.venue.last.beat()
            await seen.until(lambda: len(seen.events("backfill")) >= total, 120)
            await seen.rest(30)
            ids = [event.movements[0].movement_id for event in seen.events("backfill")]
            assert sorted(ids, key=int) == [str(i + 1) for i in range(total)]
            assert len(ids) == len({e.event_id for e in seen.events("backfill")})
        assert not seen.venue.faults

    run_virtually(scenario())


@pytest.mark.parametrize(
    "bad",
    [
        '[7,"BTC","exchange",MTS,null,"x",1.5,null,"d"]',
        '[7,"BTC","exchange",null,null,0.1,1.5,null,"d"]',
        '[7,"BTC",null,MTS,null,0.1,1.5,null,"no wallet said"]',
        '[7,"BTC",null,MTS,null,0.1,1.5,null,null]',
        '[null,"BTC","exchange",MTS,null,0.1,1.5,null,"d"]',
        '[7,"BTC","exchange",MTS,null,0.1,0.1234567890123456789,null,"d"]',
        "[7]",
        "null",
    ],
)
def test_a_bad_line_of_the_ledger(bad):
    """A line that cannot be read is a dead letter; the others are told."""

    async def scenario():
        seen = Desk(venue(), bitfinex_calc=False)
        async with seen.open():
            await seen.rest(60)
            at = seen.venue.millis()
            seen.venue.ledger.insert(0, (at, bad.replace("MTS", str(at))))
            seen.venue.wallets[ETH] = "3"
            seen.venue.book(8, *ETH, "1")
            seen.venue.last.close(1006)
            await seen.until(lambda: seen.events("backfill"))
            await seen.rest(30)
            assert [("ETH", "3", "1", "8")] == [x for x in late(seen) if x[0] == "ETH"]
            assert seen.letters() or "BTC" in {x[0] for x in late(seen)}
            assert "1.5" == seen.books()["spot/exchange BTC"]

    run_virtually(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        answered('["error",10100,"apikey: invalid"]', 500),
        answered('["error",10001,"permission"]', 500),
        answered('{"error":"ERR_RATE_LIMIT"}', 429),
        answered("<html>", 200),
        answered("{}", 200),
        answered('[[7,"BTC"', 200),
        VenueUnavailable("no line"),
    ],
)
def test_a_ledger_that_cannot_be_read(answer):
    """A ledger without answers costs only the history: the stream stays live."""

    async def scenario():
        seen = Desk(venue(), bitfinex_calc=False)
        async with seen.open():
            await seen.rest(60)
            seen.venue.answer("ledgers", answer)
            seen.venue.last.close(1006)
            await seen.until_anew(2)
            await seen.rest(60)
            assert "live" == seen.state
            assert not seen.events("backfill")
            assert len(seen.venue.asked_for("ledgers")) < 40

    run_virtually(scenario())


def test_two_wallets_of_one_asset_in_the_ledger():
    """Lines of collateral and of Tether go to their own balances."""

    async def scenario():
        pockets = {("margin", "UST"): "5", ("margin", "USTF0"): "7"}
        seen = Desk(ScriptedBitfinex(wallets=pockets), bitfinex_calc=False)
        async with seen.open():
            await seen.rest(60)
            seen.venue.last.close(1006)
            seen.venue.wallets["margin", "USTF0"] = "8"
            seen.venue.book(1, "margin", "USTF0", "1")
            seen.venue.wallets["margin", "UST"] = "4"
            seen.venue.book(2, "margin", "UST", "-1")
            await seen.until(lambda: len(seen.events("backfill")) == 2)
            assert [("derivatives", "USTF0"), ("margin", "UST")] == [
                (event.wallet, event.venue_asset) for event in seen.events("backfill")
            ]
            assert {e.key for e in seen.events("snapshot")} == {
                e.key for e in seen.events("backfill")
            }

    run_virtually(scenario())


NAMES = '[[["NEW","Newcoin"],["UST","USDt"]],[["NEWF0","NEW"]],["NEW","UST"]]'


@pytest.mark.parametrize(
    "answers", [(NAMES, "<html>"), (NAMES, NAMES, "<html>"), ("<html>", NAMES)]
)
def test_names_that_only_some_calls_were_told(answers):
    """Stream and ledger mean the same balance, whoever was told its name."""

    async def scenario():
        pockets = {("margin", "NEW"): "1", ("margin", "NEWF0"): "2"}
        seen = Desk(ScriptedBitfinex(wallets=pockets), bitfinex_calc=False)
        seen.venue.answer("conf", *map(answered, answers))
        async with seen.open():
            await seen.rest(60)
            seen.venue.last.lose()
            for number, code in enumerate(("NEW", "NEWF0")):
                seen.venue.wallets["margin", code] = f"{number + 5}"
                seen.venue.book(number, "margin", code, "4")
            seen.venue.last.beat()
            await seen.until(lambda: len(seen.events("backfill")) == 2)
            told = {event.key for event in seen.events("backfill")}
            assert told == {event.key for event in seen.events("snapshot")[-2:]}
            assert {"Newcoin"} == {event.asset for event in seen.events("backfill")}

    run_virtually(scenario())


def test_a_restart_repeats_nothing():
    """A new process tells what happened while it was away, not what was told before."""

    async def scenario():
        seen = Desk(venue(), bitfinex_calc=False)
        async with seen.open():
            await seen.rest(60)
            seen.venue.change(*BTC, "1.6")
            seen.venue.book(1, *BTC, "0.1")
            await seen.until(lambda: seen.events("update"))
        seen.venue.wallets[BTC] = "1.7"
        seen.venue.book(2, *BTC, "0.1")
        async with seen.open():
            await seen.until(lambda: seen.events("backfill"))
            await seen.rest(30)
            assert [("BTC", "1.7", "0.1", "2")] == late(seen)
        assert not seen.venue.faults

    run_virtually(scenario())
