"""Runs of Zero Hash and NDAX: each told once, none as a balance that it is not."""

from decimal import Decimal

import pytest
from independent.scripted_zerohash import bare, change, movement, picture, row, updated
from independent.zerohash_play import Play, played

D = Decimal


def test_runs():
    """One run touches several accounts, nets to zero, and is told once each."""

    async def scenario():
        play = Play()
        legs = [
            change("BTC", "0.9", 94087, movement("-0.1")),
            change("BTC", "0.1", "94087", movement("0.1"), kind="collateral"),
            change(
                "BTC",
                "0.9",
                94088,
                movement("0.1", movement_type="withdrawal_confirmed"),
                movement("-0.1", movement_type="withdrawal"),
                second=2,
            ),
        ]
        async with play.live(*map(updated, legs), *map(updated, legs)):
            found = play.events("update")
            assert [D("-0.1"), D("0.1"), D(0)] == [event.delta for event in found]
            assert [1, 1, 2] == [len(event.movements) for event in found]
            assert 3 == len({event.event_id for event in found})
            assert {("available", "BTC"): "0.9", ("collateral", "BTC"): "0.1"} == (
                play.books()
            )
            assert ["connecting", "syncing", "live"] == play.states

    played(scenario)


def test_run_ids_of_text_and_number_are_one():
    """The table says text, the sample a number: the fact is the same."""

    async def scenario():
        play = Play()
        async with play.live(
            updated(change("BTC", "2", 7)), updated(change("BTC", "2", "7"))
        ):
            assert ["7"] == [e.attributes["run_id"] for e in play.events("update")]

    played(scenario)


@pytest.mark.parametrize(
    ("body", "balance"),
    [
        (change("BTC", "3", "7", movement("1"), second=5), "2"),
        (change("BTC", "1.5", "6", movement("0.5"), second=4), "2"),
    ],
    ids=["run told with other figures", "older run after a newer"],
)
def test_contradictions(body, balance):
    """What contradicts the run before is never a balance, and a picture decides."""

    async def scenario():
        play = Play()
        async with play.live(updated(change("BTC", "2", "7", movement("1"), second=5))):
            play.venue.greeting = picture(row(balance=balance))
            await play.hears(updated(body))
            assert "stale" in play.states
            await play.until(lambda: play.state == "live")
            assert {("available", "BTC"): balance} == play.books()
            assert [D(2)] == [event.balance for event in play.events("update")]
            assert 2 == len(play.venue.lines)

    played(scenario)


def test_equal_times_are_told_as_they_come():
    """Two runs of one moment: the later frame is the later balance."""

    async def scenario():
        play = Play()
        async with play.live(
            updated(change("BTC", "2", "7")), updated(change("BTC", "3", "8"))
        ):
            assert {("available", "BTC"): "3"} == play.books()
            assert "live" == play.state

    played(scenario)


@pytest.mark.parametrize("restart", [False, True])
def test_run_of_before_is_no_news(restart):
    """A run told before the connection was lost is in the picture that came since."""

    async def scenario():
        play = Play()
        run = updated(change("BTC", "2", "7", movement("1"), second=5))
        async with play.live(run):
            play.venue.greeting = picture(row(balance="5", run_id=9))
            if restart:
                await play.stop()
                play.start()
                await play.until(lambda: len(play.venue.lines) == 2)
                await play.until(lambda: play.state == "live")
            else:
                play.line.close()
                await play.new_line()
            await play.hears(run)
            assert {("available", "BTC"): "5"} == play.books()
            assert 1 == len(play.events("update"))
            await play.hears(updated(change("BTC", "6", "10", second=6)))
            assert {("available", "BTC"): "6"} == play.books()

    played(scenario)


def test_run_id_that_is_used_again():
    """Another run under a known number is in doubt, not a repetition."""

    async def scenario():
        play = Play()
        async with play.live(updated(change("BTC", "2", "7", second=5))):
            play.line.close()
            await play.new_line()
            play.venue.greeting = picture(row(balance="8"))
            await play.hears(updated(change("BTC", "8", "7", second=9)))
            assert "stale" == play.state or 3 == len(play.venue.lines)
            await play.until(lambda: play.state == "live")
            assert {("available", "BTC"): "8"} == play.books()

    played(scenario)


def test_sparse_updates():
    """Time, movements and run are not needed to tell a balance."""

    async def scenario():
        play = Play()
        bodies = [
            change("BTC", "1.1", "8", run_timestamp=None),
            change("BTC", "1.2", "9", movements=None, run_timestamp=None),
            change("BTC", "1.3", None, movements=bare("null"), run_type=None),
        ]
        async with play.live(*map(updated, bodies)):
            found = play.events("update")
            assert [D("1.1"), D("1.2"), D("1.3")] == [e.balance for e in found]
            assert {None} == {event.delta for event in found}
            assert {()} == {event.movements for event in found}
            assert "live" == play.state

    played(scenario)


def test_unknown_fields():
    """Nothing that stands in a row or movement is dropped, nor any digit of it."""

    async def scenario():
        play = Play()
        play.venue.greeting = picture(row(odd=bare('{"a":[1,2.50]}'), on=True))
        body = change(
            "BTC",
            "2",
            "7",
            movement("1", order_id=3, transfer_type="trade_allocation"),
            fee=bare("0.10"),
            account_id="new",
        )
        async with play.live(updated(body), updated(change("BTC", "3", "8"))):
            first, second, third = play.events()
            assert ('{"a":[1,2.50]}', "true") == (
                first.attributes["odd"],
                first.attributes["on"],
            )
            assert ("0.10", "new") == (
                second.attributes["fee"],
                second.attributes["account_id"],
            )
            (moved,) = second.movements
            assert {"order_id": "3", "transfer_type": "trade_allocation"} == (
                moved.attributes
            )
            assert "new" == third.attributes["account_id"]
            assert first.key == second.key == third.key

    played(scenario)


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (movement("NaN"), ("change", "NaN")),
        (movement("0.1234567890123456789"), ("change", "0.1234567890123456789")),
        (movement(None), None),
    ],
)
def test_movement_without_a_figure(odd, kept):
    """The balance is told; what cannot be summed is no delta, and its text is kept."""

    async def scenario():
        play = Play()
        async with play.live(updated(change("BTC", "2", "7", movement("1"), odd))):
            (event,) = play.events("update")
            assert (D(2), None) == (event.balance, event.delta)
            assert kept is None or kept in event.movements[1].attributes.items()

    played(scenario)


def test_absent_after_reconnect():
    """Empty accounts are not listed: what is missing has become zero."""

    async def scenario():
        play = Play()
        play.venue.greeting = picture(row(), row("ETH"))
        async with play.live():
            play.venue.greeting = picture(row("ETH", "2"))
            play.line.close(1001, "deploy")
            await play.new_line()
            gone, there = play.events("absent")[0], play.events("snapshot")[-1]
            assert ("BTC", D(0), 1, 2) == (
                gone.asset,
                gone.balance,
                gone.snapshot_index,
                gone.snapshot_size,
            )
            assert gone.snapshot_id == there.snapshot_id
            assert gone.epoch == there.epoch > play.events()[0].epoch
            play.venue.greeting = picture()
            play.line.close()
            await play.new_line()
            assert {} == play.books()
            await play.hears(updated(change("BTC", "4", "11")))
            assert {("available", "BTC"): "4"} == play.books()

    played(scenario)
