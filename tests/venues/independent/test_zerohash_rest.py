"""Polls and histories of Zero Hash and NDAX: pages, faults, gaps, comparisons."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest
from independent.scripted_zerohash import (
    account,
    accounts,
    change,
    movement,
    picture,
    row,
    told,
    updated,
)
from independent.zerohash_play import Play, played

from balance_shared.errors import VenueRefused

D = Decimal
HISTORY = "/accounts/id-BTC-available/run_history"


def rounds(*answers):
    """Return what answers each round of polls in turn, the last one for ever."""
    left = list(answers)

    def answer(asked):
        pages = left[0]
        page = int(asked["page"])
        if page == len(pages) and len(left) > 1:
            left.pop(0)
        return pages[page - 1]

    return answer


def paged(*pages, total=None):
    """Return the pages of one round."""
    total = total or len(pages)
    return [accounts(*rows, page=i, pages=total) for i, rows in enumerate(pages, 1)]


def run(number, delta, balance, second, **others):
    """Return a row of a run history."""
    return {
        "run_timestamp": 1767225600202 + second * 1000,
        "run_type": "deposit",
        "run_id": number,
        "change": delta,
        "new_balance": balance,
        **others,
    }


@pytest.mark.parametrize("name", ["zerohash", "ndax"])
def test_polls_as_primary_feed(name):
    """A picture, then what changed and what vanished, with the differences."""

    async def scenario():
        play = Play(name, "rest")
        first = [account(), account("USDC.ETH", ".25", "collateral")]
        second = [account(balance="1.50"), account("X", "0.00")]
        play.venue.answers["/accounts"] = rounds(paged(first), paged(second))
        async with play.live():
            await asyncio.sleep(61)
            found = [(e.kind, e.asset, e.balance, e.delta) for e in play.events()]
            assert [
                ("snapshot", "BTC", D(1), None),
                ("snapshot", "USDC.ETH", D("0.25"), None),
                ("update", "BTC", D("1.5"), D("0.5")),
                ("update", "X", D(0), D(0)),
                ("absent", "USDC.ETH", D(0), D("-0.25")),
            ] == found
            first = play.events()[0]
            assert ("ABC123/XXX456/general", "spot", "available") == (
                first.subaccount,
                first.wallet,
                first.wallet_id,
            )
            assert 1767225600123 == int(first.venue_time.timestamp() * 1000)
            assert {
                "account_id": "id-BTC-available",
                "last_update": "1767225600123",
            } == (first.attributes)

    played(scenario)


@pytest.mark.parametrize(
    "torn",
    [
        paged([account("A")], [account("C")]),
        paged([account("A")], total=2) + paged([], [], total=1)[1:],
        paged([account("A"), account("B")], [account("B", "2"), account("C")]),
    ],
    ids=["row lost between pages", "fewer pages meanwhile", "row told twice"],
)
def test_rows_that_move_between_pages(torn):
    """A round that was torn makes no balance zero, and none of two figures true."""

    async def scenario():
        whole = paged([account("A"), account("B")], [account("C")])
        play = Play(feeds="rest")
        play.venue.answers["/accounts"] = rounds(whole, torn, whole)
        async with play.live():
            await asyncio.sleep(100)
            assert ["snapshot"] * 3 == [event.kind for event in play.events()]

    played(scenario)


def test_filter_that_the_venue_takes_for_a_wider_one():
    """What it tells beyond the filter is told once, and may vanish."""

    async def scenario():
        play = Play(feeds="rest", filter_asset="USDC")
        play.venue.answers["/accounts"] = rounds(
            paged([account("USDC.SOL")]), paged([account("USDC.SOL")]), paged([])
        )
        async with play.live():
            await asyncio.sleep(100)
            assert ["snapshot", "absent"] == [event.kind for event in play.events()]
            assert "/accounts?page=1&asset=USDC" == play.venue.calls[0]

    played(scenario)


NO_ANSWERS = [
    (200, b"<html>"),
    (200, b""),
    (200, b"{}"),
    (200, b"[]"),
    (200, b'{"message":null,"page":1,"total_pages":1}'),
    (200, b'{"message":[],"page":1}'),
    (200, b'{"message":[],"page":2,"total_pages":2}'),
    (200, b'{"error":"x","message":[],"page":1,"total_pages":1}'),
    (302, b""),
    (400, b'{"errors":["bad page"]}'),
    (403, b"<html>403 Forbidden</html>"),
    (404, b'{"error":"not found"}'),
    (429, b'{"error":"too many requests"}'),
    (500, b'{"error":"oops"}'),
    (502, b"<html>"),
    (503, b'{"error":"unavailable"}'),
    (504, b""),
]


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_no_answer_is_an_empty_account(answer):
    """Whatever is no list of accounts leaves all as it was, and is not live."""

    async def scenario():
        play = Play(feeds="rest")
        asked = []

        def answers(query):
            asked.append(play.clock.monotonic())
            return accounts(account()) if len(asked) == 1 else answer

        play.venue.answers["/accounts"] = answers
        async with play.live():
            await asyncio.sleep(59)
            assert play.state in {"stale", "maintenance"}
            assert {("available", "BTC"): "1"} == play.books()
            if answer[0] == 429:
                waits = pairwise(asked[1:])
                assert all(later - before >= 10 for before, later in waits)
            play.venue.answers["/accounts"] = [accounts(account(balance="2"))]
            await play.until(lambda: play.state == "live")
            assert {("available", "BTC"): "2"} == play.books()

    played(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        (401, b'{"error":"unauthorized"}'),
        (403, b'{"error":true,"message":"forbidden"}'),
        (403, b"<html>Access denied, error 1020</html>"),
    ],
)
def test_refusals(answer):
    """The process ends, and names what may be wrong."""

    async def scenario():
        play = Play(feeds="rest")
        play.venue.answers["/accounts"] = [answer]
        play.start()
        await asyncio.sleep(5)
        (error,) = play.task.exception().exceptions
        assert isinstance(error, VenueRefused)
        assert "refused" == play.state
        if answer[0] == 403:
            assert "allow-list" in play.statuses()[-1].reason

    played(scenario)


@pytest.mark.parametrize(
    ("balance", "verdict"), [("1.000", "consistent"), ("2", "inconsistent")]
)
def test_polls_beside_the_stream(balance, verdict):
    """They confirm the stream or dispute it, and never tell a balance."""

    async def scenario():
        play = Play(feeds="ws,rest")
        zero = account("USD", "0.00", "collateral_deficiency")
        play.venue.answers["/accounts"] = [accounts(account(balance=balance), zero)]
        async with play.live():
            await play.until(play.verdicts)
            await play.until(lambda: play.state == "live")
            assert verdict == play.verdicts()[0].verdict
            lines = 1 if verdict == "consistent" else 2
            await play.until(lambda: len(play.venue.lines) == lines)
            assert {"ws"} == {event.feed for event in play.events()}
            if verdict == "inconsistent":
                await play.until(lambda: play.state == "degraded")
                assert "BTC 2 (streamed 1)" in play.statuses()[-1].reason

    played(scenario)


def test_polls_while_balances_move():
    """What moved around the answer proves nothing."""

    async def scenario():
        play = Play(feeds="ws,rest")

        def answer(asked):
            second = int(play.clock.monotonic())
            play.line.say(updated(change("BTC", f"{second}.5", f"r{second}")))
            return accounts(account(balance="7"))

        async with play.live():
            play.venue.answers["/accounts"] = answer
            await play.until(play.verdicts)
            assert "inconclusive" == play.verdicts()[-1].verdict
            assert "live" == play.state

    played(scenario)


@pytest.mark.parametrize("restart", [False, True])
def test_runs_that_were_missed(restart):
    """History tells what the stream did not, under the stream's ids, once."""

    async def scenario():
        play = Play()
        seven = updated(change("BTC", "2", "7", movement("1"), second=1))
        async with play.live(seven):
            play.venue.greeting = picture(row(balance="5", run_id=9))
            rows = [run(9, "2", "5", 3, note="n"), run("8", "1", "3", 2)]
            rows.append(run("7", "1", "2", 1))
            answer = {"message": rows, "page": 1, "total_pages": 1}
            play.venue.answers[HISTORY] = [(200, told(answer))]
            if restart:
                await play.stop()
                play.start()
            else:
                play.line.close()
            await play.until(lambda: len(play.events("backfill")) >= 2)
            await asyncio.sleep(20)
            late = play.events("backfill")
            known = play.events("update")[0].event_id
            assert [known[:-1] + "8", known[:-1] + "9"] == [e.event_id for e in late]
            assert [(D(1), D(3)), (D(2), D(5))] == [(e.delta, e.balance) for e in late]
            assert ("n", "deposit", "1767225603202") == tuple(
                late[1].attributes[name]
                for name in ("note", "run_type", "run_timestamp")
            )
            assert {("available", "BTC"): "5"} == play.books()
            await play.hears(updated(change("BTC", "5", 9, movement("2"), second=3)))
            assert {("available", "BTC"): "5"} == play.books()
            assert "live" == play.state

    played(scenario)


def test_runs_of_an_account_that_vanished():
    """Its last run is told late, under the number that it had."""

    async def scenario():
        play = Play()
        play.venue.greeting = picture(row(), row("ETH"))
        async with play.live():
            play.venue.greeting = picture(row("ETH"))
            answer = {"message": [run("8", "-1", "0", 2)], "page": 1, "total_pages": 1}
            play.venue.answers[HISTORY] = [(200, told(answer))]
            play.line.close()
            await play.until(lambda: play.events("backfill"))
            (late,) = play.events("backfill")
            assert (D(0), D(-1), play.events("absent")[0].key) == (
                late.balance,
                late.delta,
                late.key,
            )

    played(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"{}"),
        (403, b'{"error":true,"message":"forbidden"}'),
        (200, b"<html>"),
        (200, b'{"message":[{"run_id":"8","new_balance":"NaN"}],"total_pages":1}'),
    ],
)
def test_history_that_does_not_answer(answer):
    """The stream goes on; nothing is invented."""

    async def scenario():
        play = Play()
        async with play.live():
            play.venue.greeting = picture(row(balance="5"))
            play.venue.answers[HISTORY] = [answer]
            play.line.close()
            await play.new_line()
            await asyncio.sleep(30)
            assert ("live", []) == (play.state, play.events("backfill"))
            assert [HISTORY + "?page=1"] == play.venue.calls[:1]

    played(scenario)
