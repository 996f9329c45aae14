"""The conformance kit: every row of ``VENUES`` passes the same scenarios.

Each scenario runs a whole connector against a whole stand-in, in virtual time.
"""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from replayed import judged
from world import POLL_S, World, refused

from balance_schemas.topics import LATEST

POLLS = timedelta(seconds=2 * POLL_S)

WELL_S = 10.0
"""Aim: right again this long after the venue is well, in seconds."""


def reported(world: World) -> list[str]:
    """Return the ids of all updates."""
    return [event.event_id for event in world.events("update")]


async def moved(world: World, rng, moves: int = 5, every_s: float = 0.2) -> None:
    """Have balances move at the venue."""
    for _ in range(moves):
        world.dialect.move(world.venue, rng)
        await asyncio.sleep(every_s)


def test_picture(dialect, virtually):
    """After the connect the venue's books are on the bus, whole and in order."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            assert world.truth() == world.books()
            assert world.truth()
            told = world.events()
            assert {"snapshot"} == {event.kind for event in told}
            assert {len(told)} == {event.snapshot_size for event in told}
            assert list(range(len(told))) == [event.snapshot_index for event in told]
            assert [] == world.letters()
            assert not world.parts.missing()

    virtually(scenario())


def test_updates(dialect, virtually, rng):
    """Every movement arrives, each once, and the books stay the venue's."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng, 100)
            await world.until_right()
            assert len(world.events("update")) >= 100
            assert len(set(reported(world))) == len(reported(world))
            assert "live" == world.state
            assert [] == world.letters()

    virtually(scenario())


def test_wrong_secret_is_refused(dialect, virtually):
    """The process ends, the status says refused and why; nothing was published."""

    async def scenario():
        world = World(dialect, settings={"api_secret": "bm90IHRoZSBzZWNyZXQ="})
        world.start()
        await asyncio.wait({world.task}, timeout=60)
        assert refused(world)
        assert "refused" == world.state
        assert [] == world.events()

    virtually(scenario())


@pytest.mark.parametrize("feeds", ["ws", "rest"])
def test_missing_permission_is_named(dialect, virtually, feeds):
    """Whoever reads the one line knows what to change at the venue."""

    async def scenario():
        world = World(dialect, feeds=feeds, **dialect.unpermitted)
        if dialect.unpermitted_fault:
            to = {"ws": "stream", "rest": "rest"}[feeds]
            world.venue.fault(dialect.unpermitted_fault, count=99, to=to)
        world.start()
        await asyncio.wait({world.task}, timeout=60)
        assert dialect.permission.lower() in str(refused(world)).lower()
        assert "refused" == world.state
        assert [] == world.events()

    virtually(scenario())


def test_duplicate_is_told_once(dialect, virtually, rng):
    """A frame that comes twice changes nothing."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            world.venue.fault("duplicate")
            await moved(world, rng)
            await world.until_right()
            await world.until_live()
            assert len(set(reported(world))) == len(reported(world))

    virtually(scenario())


def test_lost_update_is_found_and_told_late(dialect, virtually, rng):
    """Gap, stale, history, new picture: no fact is lost and the books are right."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            mark = len(world.statuses())
            world.venue.fault("gap")
            dialect.credit(world.venue, "0.25")
            await moved(world, rng)
            assert await world.until_state("stale", mark=mark) < 2 * POLL_S + 20
            await world.until_live()
            await world.until_right(WELL_S)
            await world.until(lambda: world.events("backfill"), "told late")
            known = world.truth()
            await asyncio.sleep(POLL_S)
            assert known == world.books()

    virtually(scenario())


def test_vanished_balance_is_absent(dialect, virtually, rng):
    """What went to zero while nobody listened is told as an explicit zero."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            world.venue.fault("refuse_connections", seconds=5)
            world.venue.fault("close")
            await asyncio.sleep(1)
            dialect.empty(world.venue)
            await world.until_live()
            await world.until_right(WELL_S)
            gone = [event for event in world.events() if event.balance == 0]
            assert any(event.kind in {"absent", "snapshot"} for event in gone)

    virtually(scenario())


def test_silence_is_stale(dialect, virtually, rng):
    """A venue that says nothing is not live; when it speaks again all is right."""

    async def scenario():
        async with World(dialect, feeds="ws").running() as world:
            await world.until_live()
            mark = len(world.statuses())
            world.venue.fault("silence", seconds=10 * dialect.heartbeat_s, lose=True)
            await moved(world, rng)
            took = await world.until_state("stale", mark=mark)
            assert took <= 2 * dialect.heartbeat_s
            await world.until_live(300)
            await world.until_right(WELL_S)

    virtually(scenario())


def test_half_open_socket_is_stale(dialect, virtually, rng):
    """A connection whose other end is gone is given up."""

    async def scenario():
        async with World(dialect, feeds="ws").running() as world:
            await world.until_live()
            mark = len(world.statuses())
            world.venue.fault("half_open")
            await moved(world, rng)
            await world.until_state("stale", mark=mark)
            await asyncio.sleep(dialect.silence_s)
            await world.until_live()
            await world.until_right(WELL_S)

    virtually(scenario())


def test_maintenance_is_waited_for(dialect, virtually, rng):
    """The status says that it is no longer live, and comes back by itself."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            mark = len(world.statuses())
            world.venue.fault("maintenance", seconds=20)
            await asyncio.sleep(1)
            await moved(world, rng)
            await world.until_state("maintenance", "stale", mark=mark)
            await asyncio.sleep(20)
            await world.until_live(60)
            await world.until_right(WELL_S)

    virtually(scenario())


@pytest.mark.parametrize("text", ["{", "[", "null", '"text"', "<html>busy</html>", ""])
def test_malformed_frame_is_a_dead_letter(dialect, virtually, rng, text):
    """The raw bytes are kept, a new picture is taken, no balance is skipped."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            world.venue.fault("raw", text=text)
            await moved(world, rng)
            await world.until(world.letters, "a dead letter")
            assert text == world.letters()[0].payload.decode()
            await world.until_live()
            await world.until_right(WELL_S)

    virtually(scenario())


def test_eighteen_digits_are_exact(dialect, virtually):
    """Every digit arrives."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            dialect.credit(world.venue, "0.000000000000000001")
            await world.until_right()
            assert [] == world.letters()
            assert any(
                event.balance % Decimal("1e-17") for event in world.events("update")
            )

    virtually(scenario())


@pytest.mark.parametrize("text", ["0.1234567890123456789", "NaN", "1e40", "abc"])
def test_figure_that_does_not_fit_is_never_rounded(dialect, virtually, rng, text):
    """It is a dead letter; the others are told; once it fits again all is right."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            world.venue.fault("figure", text=text, to="update")
            await moved(world, rng)
            await world.until(world.letters, "a dead letter")
            await world.until_live()
            await world.until_right(WELL_S)

    virtually(scenario())


def test_unreadable_balance_is_named_without_a_storm(dialect, virtually, rng):
    """A row of the picture that stays unreadable degrades the feed, no more."""

    async def scenario():
        world = World(dialect, feeds="ws")
        world.venue.fault(
            "figure", text="0.1234567890123456789", to="snapshot", count=99
        )
        async with world.running():
            await world.until(lambda: world.state == "degraded", "degraded")
            assert "does not fit" in world.statuses()[-1].reason
            before = world.venue.statistics()["connections_made"]
            await moved(world, rng)
            await asyncio.sleep(120)
            assert world.venue.statistics()["connections_made"] <= before + 3
            right = world.truth()
            wrong = {
                pocket for pocket in right if world.books().get(pocket) != right[pocket]
            }
            assert len(wrong) <= 1

    virtually(scenario())


def test_update_that_is_unreadable_again_and_again_makes_no_storm(
    dialect, virtually, rng
):
    """Every picture can be read and the updates cannot: it is degraded, and says so."""

    async def scenario():
        async with World(dialect, feeds="ws").running() as world:
            await world.until_live()
            before = world.venue.statistics()["connections_made"]
            world.venue.fault("figure", text="NaN", to="update", count=9999)
            for _ in range(400):
                dialect.move(world.venue, rng)
                await asyncio.sleep(3)
            made = world.venue.statistics()["connections_made"] - before
            assert made <= 12
            await world.until(lambda: "degraded" == world.state, "degraded")
            world.venue.fault("clear")
            await world.until_live(400)
            await world.until_right()

    virtually(scenario())


def test_new_words_are_passed_through(dialect, virtually, rng):
    """Assets and words that nobody has seen before lose no balance."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            dialect.novelty(world.venue)
            await moved(world, rng)
            await world.until_right()
            assert "live" == world.state
            assert [] == world.letters()

    virtually(scenario())


def test_limits_of_the_venue_are_kept(dialect, virtually, rng):
    """Through an hour of trouble no call and no connection is refused as too many."""

    async def scenario():
        async with World(dialect, **dialect.limited).running() as world:
            await world.until_live()
            for _ in range(12):
                await moved(world, rng)
                world.venue.fault("close")
                await asyncio.sleep(100)
                world.venue.fault("refuse_connections", seconds=100)
                world.venue.fault("close")
                await asyncio.sleep(200)
            await world.until_live()
            await world.until_right(WELL_S)
            counted = world.venue.statistics()
            assert not dialect.limits_hit(counted), counted

    virtually(scenario())


def test_shutdown_drains(dialect, virtually, rng):
    """What was received is on the bus before the process ends, and the status last."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng, 50, every_s=0.0)
            await asyncio.sleep(1)
        assert world.truth() == world.books()
        assert "stopped" == world.state
        assert {"stopped"} == {status.state for status in world.statuses()[-1:]}

    virtually(scenario())


def test_restart_goes_on(dialect, virtually, rng):
    """A new process knows from the bus what was there, and tells what it missed."""

    async def scenario():
        world = World(dialect)
        async with world.running():
            await world.until_live()
            await moved(world, rng)
            await world.until_right()
        dialect.empty(world.venue)
        await moved(world, rng)
        mark = len(world.events())
        async with world.running():
            await world.until_live()
            await world.until_right(WELL_S)
            told = world.events()[mark:]
            assert told[0].epoch > world.events()[mark - 1].epoch
            await world.until(lambda: world.events("backfill"), "told late")
            assert len(set(reported(world))) == len(reported(world))

    virtually(scenario())


def test_what_emptied_a_balance_is_owed_by_the_next_process(dialect, virtually, rng):
    """A balance that the dead process told to be gone is asked for all the same."""

    async def scenario():
        world = World(dialect, feeds="ws")
        async with world.running():
            await world.until_live()
            await moved(world, rng)
            await world.until_right()
        held = world.books()
        dialect.empty(world.venue)
        (emptied,) = held.keys() - world.truth().keys()
        for endpoint in ("Ledgers", "hist", "run_history"):
            world.venue.fault("error", count=99, endpoint=endpoint)
        async with world.running():
            await world.until_live()
            await world.until_right(WELL_S)
        assert world.statuses()[-1].backfill_since
        assert not world.events("backfill")
        world.venue.fault("clear")
        async with world.running():
            await world.until_live()
            await world.until(lambda: not world.statuses()[-1].backfill_since, "told")
        late = {dialect.pocket(event): event for event in world.events("backfill")}
        assert late[emptied].balance == 0
        assert not judged(world).differences

    virtually(scenario())


def test_unreadable_record_of_latest_is_left_out(dialect, virtually, rng):
    """A start needs no hand: one dead letter, and the picture tells the balance anew."""

    async def scenario():
        world = World(dialect)
        async with world.running():
            await world.until_live()
            await moved(world, rng)
            await world.until_right()
        records = world.bus.records[LATEST.name]
        broken, offset = records[-1], len(records)
        records.append(replace(broken, body=b"garbage"))
        mark = len(world.events())
        async with world.running():
            await world.until(world.letters, "left out")
            del records[offset]  # as compaction does, once it is told anew
            await world.until_live()
            await world.until_right(WELL_S)
            (letter,) = world.letters()
            told = letter.source_topic, letter.source_offset, letter.reason
            assert (LATEST.name, offset, "invalid_record") == told
            assert broken.key in {event.key for event in world.events()[mark:]}

    virtually(scenario())


def test_history_that_a_process_left_untold_is_told_by_the_next(
    dialect, virtually, rng
):
    """Its picture was told, so that nothing but the status says what is missing."""

    async def scenario():
        world = World(dialect)
        async with world.running():
            await world.until_live()
            await moved(world, rng)
            await world.until_right()
        dialect.credit(world.venue, "0.25")
        for _ in range(3):
            async with world.running():
                await world.until_live()
            owes = world.statuses()[-1].backfill_since is not None
            assert owes or world.events("backfill")
        async with world.running():
            await world.until_live()
            await world.until(
                lambda: world.statuses()[-1].backfill_since is None, "told late"
            )
        assert Decimal("0.25") in {event.delta for event in world.events("backfill")}
        ids = [event.event_id for event in world.events()]
        assert len(set(ids)) == len(ids)

    virtually(scenario())


def test_polls_alone_tell_the_books(dialect, virtually, rng):
    """REST as the primary feed: a picture, then what changed and what vanished."""

    async def scenario():
        async with World(dialect, feeds="rest").running() as world:
            await world.until_live()
            first = world.polled()
            await moved(world, rng)
            dialect.empty(world.venue)
            await asyncio.sleep(2 * POLL_S)
            assert first != world.polled()
            assert dialect.polled(world.truth()) == world.polled()
            assert {"snapshot", "update"} <= {event.kind for event in world.events()}
            assert "live" == world.state

    virtually(scenario())


def test_comparison_confirms_the_stream(dialect, virtually, rng):
    """Only REST's agreement moves the time at which the balances were proven."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            await asyncio.sleep(3 * POLL_S)
            await asyncio.sleep(POLL_S)
            last = world.reconciliations()[-1]
            assert "consistent" == last.verdict
            assert last.checked >= len(dialect.compared(world.truth()))
            assert world.statuses()[-1].confirmed_at >= last.requested_at - POLLS

    virtually(scenario())


def test_last_update_that_is_lost_is_told_late(dialect, virtually, rng):
    """Nothing follows that could show the gap: REST does, and the history tells it."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            await asyncio.sleep(2 * POLL_S)
            world.venue.fault("gap", count=99)
            dialect.credit(world.venue, "0.25")
            await asyncio.sleep(3)
            world.venue.fault("clear")
            await world.until_right(6 * POLL_S)
            await world.until_live()
            await world.until(lambda: world.events("backfill"), "told late")
            assert Decimal("0.25") in {
                event.delta for event in world.events("backfill")
            }

    virtually(scenario())


def test_update_that_was_lost_long_before_a_close_is_told_late(dialect, virtually, rng):
    """Signs of life say nothing of what was lost: history is asked for from before."""

    async def scenario():
        async with World(dialect, feeds="ws").running() as world:
            await world.until_live()
            await moved(world, rng)
            world.venue.fault("gap", count=99)
            dialect.credit(world.venue, "0.25")
            await asyncio.sleep(60)
            world.venue.fault("clear")
            mark = len(world.statuses())
            world.venue.fault("close")
            await world.until_state("live", mark=mark)
            await world.until(
                lambda: (
                    Decimal("0.25")
                    in {event.delta for event in world.events("backfill")}
                ),
                "told late",
            )

    virtually(scenario())


def test_silent_edit_of_the_books_is_found(dialect, virtually, rng):
    """A change that the stream never tells is disputed by REST, and then taken in."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await moved(world, rng)
            await asyncio.sleep(5)
            dialect.edit(world.venue)
            await world.until_right(4 * POLL_S)
            verdicts = {found.verdict for found in world.reconciliations()}
            assert "inconsistent" in verdicts
            await world.until_live()

    virtually(scenario())


@pytest.mark.parametrize("fault", ["html", "rate_limit", "error"])
def test_faulty_answers_change_nothing(dialect, virtually, rng, fault):
    """An error, a page or a limit is never read as no balances."""

    async def scenario():
        async with World(dialect, feeds="rest").running() as world:
            await world.until_live()
            before = world.books()
            world.venue.fault(fault, count=3)
            await asyncio.sleep(3 * POLL_S)
            await world.until_live(400)
            assert before == world.books()

    virtually(scenario())


def test_paused_process_says_first_what_it_missed(dialect, virtually):
    """After 40 s in which it did not run nobody hears ``live`` of before."""

    async def scenario():
        async with World(dialect).running() as world:
            await world.until_live()
            await asyncio.sleep(25)
            mark = len(world.statuses())
            asyncio.get_running_loop().seconds += 40
            await asyncio.sleep(5)
            assert "stale" == world.statuses()[mark].state
            await world.until_live()

    virtually(scenario())
