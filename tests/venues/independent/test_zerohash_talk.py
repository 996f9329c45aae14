"""Conversations with Zero Hash and NDAX: filters, pings, closes, garbage, errors."""

import asyncio
import json
from decimal import Decimal

import pytest
from independent.scripted_zerohash import (
    SEED_UPDATE,
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


@pytest.mark.parametrize(
    ("option", "value", "gone"),
    [
        ("filter_account_type", "available", {"available ETH", "available SOL"}),
        ("filter_asset", "ETH", {"available ETH"}),
        ("filter_account_owner", "OTHER", {"available SOL"}),
        ("filter_account_group", "none", set()),
    ],
)
def test_filters(option, value, gone):
    """A picture with a filter says nothing of what the filter leaves out."""

    async def scenario():
        everything = [
            row(),
            row("ETH"),
            row(kind="collateral"),
            row("SOL", participant_code="OTHER"),
        ]
        play = Play()
        play.venue.greeting = picture(*everything)
        async with play.live():
            await play.stop()
            play.venue.greeting = picture(row())
            play.start(**{option: value})
            await play.until(lambda: len(play.venue.lines) == 2)
            await play.until(lambda: play.state == "live")
            ((_, said),) = play.line.all("subscribe")
            name = option.removeprefix("filter_")
            assert {"filter": {name: value}} == said["body"]
            assert gone == {f"{e.wallet_id} {e.asset}" for e in play.events("absent")}

    played(scenario)


def test_text_that_has_to_be_signed_as_it_is():
    """Quotes, slashes and ₹ are signed as they are sent."""

    async def scenario():
        play = Play("ndax", filter_asset="e₹", filter_account_owner='a"b/ü')
        async with play.live():
            await asyncio.sleep(31)
            assert 3 == len(play.line.all("ping"))  # one at once

    played(scenario)


def test_whole_message_may_be_signed():
    """The other reading of the documentation is a setting."""

    async def scenario():
        play = Play(signed_content="message")
        play.venue.signs_message = True
        async with play.live():
            await asyncio.sleep(31)
            assert 3 == len(play.line.all("ping"))

    played(scenario)


@pytest.mark.parametrize("form", ["signed", "bare"])
def test_pings(form):
    """They come in time, signed afresh or bare, and none is kept as a frame."""

    async def scenario():
        play = Play(ping_form=form, ping_interval_s=10)
        play.venue.signs_pings = form == "signed"
        async with play.live():
            await asyncio.sleep(305)
            pings = play.line.all("ping")
            assert 31 == len(pings)
            stamps = {said.get("timestamp") for _, said in pings}
            assert (31 if form == "signed" else 1) == len(stamps)
            if form == "bare":
                assert {"messageType": "ping"} == pings[0][1]
            assert 1 == len(play.frames())
            assert 1 == len(play.venue.lines)

    played(scenario)


def test_pings_while_the_picture_is_awaited():
    """One that takes 28 s is had, and the venue has no want of pings meanwhile."""

    async def scenario():
        play = Play()
        waiting = []

        def slow(line):
            async def later():
                await asyncio.sleep(28)
                line.say(picture(row()))

            waiting.append(asyncio.create_task(later()))

        play.venue.greeting = slow
        async with play.live():
            assert 3 == len(play.venue.lines)  # each waits longer than the one before
            assert 2 == len(play.line.all("ping"))  # one at once: is it there?

    played(scenario)


@pytest.mark.parametrize("ponging", [True, False])
def test_subscription_that_is_never_answered(ponging):
    """Pongs are no picture: the connection is given up, and nobody says live."""

    async def scenario():
        play = Play()
        play.venue.greeting, play.venue.ponging = None, ponging
        async with play.started():
            await asyncio.sleep(100)
            assert "live" not in play.states
            assert "stale" in play.states
            assert len(play.venue.lines) in {3, 4}
            assert [] == play.events()

    played(scenario)


def test_no_pong():
    """A silent venue is stale within two pings, and a new picture is taken."""

    async def scenario():
        play = Play()
        async with play.live():
            play.venue.ponging = False
            await asyncio.sleep(31)
            assert "stale" == play.state
            play.venue.ponging = True
            await play.until(lambda: len(play.venue.lines) == 2, 15)
            await play.until(lambda: play.state == "live")

    played(scenario)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1011, 1012, 1013, 4001])
def test_closes(code):
    """Whatever the code, the connection comes back with a picture."""

    async def scenario():
        play = Play()
        async with play.live():
            play.venue.greeting = picture(row(balance="2"))
            play.line.close(code, "because")
            await play.new_line()
            assert {("available", "BTC"): "2"} == play.books()
            assert "stale" in play.states

    played(scenario)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"1",
        b"<html>502</html>",
        b"\xff\xfe",
        b"[" * 50_000,
        SEED_UPDATE[:-40],
        b'{"messageType":5}',
        b'{"messageType":"balance-updated"}',
        b'{"messageType":"balance-updated","body":{}}',
        b'{"messageType":"balance-updated","body":[]}',
        b'{"messageType":"Balance-Updated","body":{}}',
        told({"messageType": "account-changed", "body": change("BTC", "2", "7")}),
        SEED_UPDATE.replace(b'"participant_code": "ABC123",', b""),
        SEED_UPDATE.replace(b'"1.01"', b"[]"),
    ],
)
def test_garbage(garbage):
    """What may have been a balance is a dead letter, word for word, and in doubt."""

    async def scenario():
        play = Play()
        async with play.live():
            play.venue.greeting = picture(row(balance="2"))
            await play.hears(garbage)
            await play.until(lambda: len(play.venue.lines) == 2, 20)
            await play.until(lambda: play.state == "live")
            assert [garbage] == [letter.payload for letter in play.letters()]
            assert {("available", "BTC"): "2"} == play.books()

    played(scenario)


@pytest.mark.parametrize(
    "frame",
    [
        {"messageType": "pong"},
        {"messageType": "subscribe", "body": "successfully subscribed to balances"},
        {"messageType": "info", "body": {"topic": "available-symbols"}},
        {"messageType": "price-updated", "body": {"price": "1"}},
    ],
)
def test_messages_without_balances(frame):
    """They change nothing."""

    async def scenario():
        play = Play()
        async with play.live(told(frame)):
            await asyncio.sleep(60)
            assert ["connecting", "syncing", "live"] == play.states
            assert 1 == len(play.events())

    played(scenario)


def test_no_credential_is_kept():
    """A venue that repeats the subscription does not bring our passphrase to Kafka."""

    async def scenario():
        play = Play()
        async with play.live():
            await play.hears(play.line.heard[0][1])
            kept = [frame.payload for frame in play.frames()]
            kept += [letter.payload for letter in play.letters()]
            assert not any(b"four words" in payload for payload in kept)

    played(scenario)


@pytest.mark.parametrize(
    ("frame", "refused"),
    [
        ({"messageType": "error", "body": "invalid signature"}, True),
        ({"messageType": "error", "error": "Unauthorized"}, True),
        ({"error": True, "message": "permission denied"}, True),
        ({"errors": ["invalid api key"]}, True),
        ({"messageType": "subscribe", "body": "invalid passphrase"}, True),
        ({"message": "Forbidden"}, True),
        ({"error": "timestamp is too old"}, False),
        (
            {"messageType": "error", "body": {"code": 429, "message": "rate limit"}},
            False,
        ),
        ({"messageType": "error"}, False),
        ({"errors": ["something new"]}, False),
    ],
)
def test_errors_on_the_stream(frame, refused):
    """A clear refusal ends the process; what we do not know is tried again."""

    async def scenario():
        play = Play()
        play.venue.greeting = told(frame)
        play.start()
        await asyncio.sleep(25)
        assert "live" not in play.states
        assert refused is play.task.done()
        if refused:
            assert "refused" == play.state
            (error,) = play.task.exception().exceptions
            assert isinstance(error, VenueRefused)
        else:
            assert 2 <= len(play.venue.lines)
            await play.stop()

    played(scenario)


def test_second_picture():
    """The same one again is nothing; another is in doubt and decided by a third."""

    async def scenario():
        play = Play()
        async with play.live(picture(row())):
            assert (1, "live") == (len(play.events()), play.state)
            play.venue.greeting = picture(row(balance="3"))
            await play.hears(picture(row("ETH")))
            assert "stale" in play.states
            await play.until(lambda: play.state == "live")
            assert {("available", "BTC"): "3"} == play.books()
            assert [] == play.events("absent")

    played(scenario)


@pytest.mark.parametrize("agrees", [True, False])
def test_updates_before_the_picture(agrees):
    """They are not lost, and the picture is believed only if it knows them."""

    async def scenario():
        play = Play()
        early = [
            updated(change("BTC", "2", "7", movement("1"), second=1)),
            updated(change("BTC", "3", "8", movement("1"), second=2)),
            updated(change("ETH", "0", "8", movement("-1"), second=2)),
        ]
        first = picture(row(balance="3" if agrees else "2"))

        def greet(line):
            line.say(*early, first)
            play.venue.greeting = picture(row(balance="4"))

        play.venue.greeting = greet
        async with play.live():
            kinds = [event.kind for event in play.events()]
            if agrees:
                assert ["snapshot", "backfill", "backfill", "backfill"] == kinds
                assert {("available", "BTC"): "3"} == play.books()
                await play.hears(early[1])
                assert 4 == len(play.events())
            else:
                assert (["snapshot"], 2) == (kinds, len(play.venue.lines))
                assert {("available", "BTC"): "4"} == play.books()

    played(scenario)


def test_large_pretty_picture():
    """5 MB with white space and 18 digits: every row, in parts on the bus."""

    async def scenario():
        body = [
            row(f"T{i}", f"{i}.123456789012345678", account_label=f"customer_{i}")
            for i in range(3_000)
        ]
        text = json.dumps({"messageType": "initial-balance", "body": body}, indent=160)
        play = Play()
        play.venue.greeting = text.encode()
        async with play.live():
            assert len(text) > 4_500_000
            assert 3_000 == len(play.events())
            parts = play.frames()
            assert text.encode() == b"".join(part.payload for part in parts)
            assert {len(parts)} == {part.parts for part in parts}
            last = play.events()[-1]
            assert D("2999.123456789012345678") == last.balance
            assert (2_999, 3_000) == (last.snapshot_index, last.snapshot_size)

    played(scenario)
