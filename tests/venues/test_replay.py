"""Every venue's events are made again from the frames that were kept, byte for byte."""

import asyncio
import random
from asyncio import Event
from collections import Counter
from contextlib import suppress
from functools import cache

import hours
import pytest
from dialects import DIALECTS
from replayed import judged, kept, outcome, told_by
from test_every_venue import moved
from world import POLL_S, LoopbackRest, World

from balance_connector.books import Books
from balance_connector.replay import NO_BEGINNING
from balance_connector.venue import Response
from balance_schemas.topics import EVENTS, FRAMES, LATEST
from balance_shared.errors import BusInterrupted
from balance_shared.testing import run_virtually
from balance_simulator.faults import FaultError

STATIC_NAMES = {
    "kraken.assets.LEGACY": {},
    "kraken.assets._PLAIN": frozenset(),
    "bitfinex.assets.SYMBOLS": {},
    "bitfinex.assets.UNDERLYINGS": {},
}
"""Tables that serve where a venue does not tell its names, and none of them."""

TROUBLES = (
    ("gap", {}),
    ("duplicate", {}),
    ("reorder", {"count": 1}),
    ("raw", {"text": "{"}),
    ("figure", {"text": "NaN", "to": "update"}),
    ("figure", {"text": "0.1234567890123456789", "to": "snapshot"}),
    ("html", {"count": 3}),
    ("close", {"abort": True}),
    ("silence", {"seconds": 90, "lose": True}),
    ("maintenance", {"seconds": 20}),
    ("unanswered", {}),
    ("torn", {}),
)
"""What is played, one after the other; a venue refuses what has no meaning there."""


async def troubled(name: str, feeds: str) -> World:
    """Live through troubles, lost records, a new asset, a restart, an absence."""
    world, rng = World(DIALECTS[name], feeds=feeds), random.Random(7)
    async with world.running():
        await world.until_live()
        for fault, arguments in TROUBLES:
            await moved(world, rng)
            with suppress(FaultError):
                world.venue.fault(fault, **arguments)
            await moved(world, rng)
            await asyncio.sleep(world.dialect.silence_s + POLL_S)
        world.venue.fault("clear")
        await world.until_live(300)
        world.bus.fail(BusInterrupted("lost"))
        await moved(world, rng)
        await asyncio.sleep(POLL_S)
        await world.until_live(300)
        world.dialect.novelty(world.venue)
        await moved(world, rng)
        await world.until_right()
    world.dialect.empty(world.venue)
    async with world.running():
        await world.until_live(300)
        await world.until_right()
        await moved(world, rng)
        await asyncio.sleep(4 * POLL_S)
    return world


@cache
def lived(name: str, feeds: str) -> World:
    """Return what a connector left behind; it is read only."""
    return run_virtually(troubled(name, feeds))


@pytest.fixture(params=["ws,rest", "rest"])
def world(request, dialect):
    """Give what a connector left behind after many troubles."""
    return lived(dialect.name, request.param)


def test_same_frames_make_the_same_events(world):
    """Gaps, restarts, absences, histories, bad frames: not a byte is different."""
    kinds = {event.kind for event in world.events()}
    assert {"snapshot", "update"} <= kinds
    assert (len(world.events()), {}, []) == outcome(judged(world))


def test_changed_decoder_is_found_and_shown(world, monkeypatch):
    """Where the code says otherwise today, each event shows which field does."""
    make = Books._event

    def changed(*args, **named):
        event = make(*args, **named)
        return type(event)(
            **{name: getattr(event, name) for name in event.__struct_fields__}
            | {"asset_class": "changed"}
        )

    monkeypatch.setattr(Books, "_event", changed)
    equal, unjudged, differences = outcome(judged(world))
    assert (0, {}, len(world.events())) == (equal, unjudged, len(differences))
    first = differences[0]
    assert ("changed", {"asset_class": ("currency", "changed")}) == (
        first.what,
        first.fields,
    )
    assert first.told_at is not None
    assert first.frame_at is not None


def test_lost_event_is_missing_and_an_invented_one_is_extra(world):
    """Neither a hole in the events nor one in the frames goes unseen."""
    told = told_by(world)
    at = len(told) // 2
    found = judged(world, tellings=told[:at] + told[at + 1 :])
    assert "missing" in {difference.what for difference in found.differences}
    with_events = {telling.event.received_at for telling in told}
    frames = [frame for frame, _ in kept(world) if frame.received_at in with_events]
    lost = frames[len(frames) // 2].received_at
    fewer = [one for one in kept(world) if one[0].received_at != lost]
    assert judged(world, frames=fewer).differences


@pytest.fixture
def nameless(monkeypatch):
    """Give what says whether the venue tells no names; no table of ours has any."""
    for table, empty in STATIC_NAMES.items():
        monkeypatch.setattr(f"balance_connector.venues.{table}", empty)
    send, no_names = LoopbackRest.send, Event()

    async def answer(rest, request):
        if no_names.is_set() and request.source in {"Assets", "conf"}:
            return Response(503, b"")
        return await send(rest, request)

    monkeypatch.setattr(LoopbackRest, "send", answer)
    return no_names


def test_first_round_of_a_process_knows_what_was_told(
    dialect, virtually, rng, nameless
):
    """Pages torn and names not to be had: nothing vanishes, nothing has a new name."""

    async def scenario():
        world = World(dialect, feeds="rest", **dialect.paged)
        async with world.running():
            await world.until_live()
            await moved(world, rng)
            await world.until_right()
        mark, names = len(world.events()), {event.key for event in world.events()}
        nameless.set()
        with suppress(FaultError):
            world.venue.fault("torn")
        world.start()
        await world.until(lambda: len(world.events()) > mark, "told")
        first = world.events()[mark:]
        assert {"snapshot"} == {event.kind for event in first}
        assert {event.key for event in first} <= names
        await world.until_right()
        nameless.clear()
        await asyncio.sleep(1000)
        await world.stop()
        assert {event.key for event in world.events()} == names
        assert world.is_right()
        return world

    world = virtually(scenario())
    assert (len(world.events()), {}, []) == outcome(judged(world))


def test_history_names_assets_as_the_stream_does(dialect, virtually, rng, nameless):
    """What was missed while no names were to be had is told once they are, and right."""

    async def scenario():
        world = World(dialect, feeds="ws")
        async with world.running():
            await world.until_live()
            await moved(world, rng)
            nameless.set()
            world.venue.fault("gap")
            await moved(world, rng)
            await asyncio.sleep(100)
            nameless.clear()
            await world.until(lambda: not world.statuses()[-1].backfill_since, "told")
        assert world.is_right()
        return world

    world = virtually(scenario())
    late = {event.asset for event in world.events("backfill")}
    assert late <= {event.asset for event in world.events("snapshot", "update")}
    assert (len(world.events()), {}, []) == outcome(judged(world))


@pytest.mark.parametrize("events_too", [False, True])
def test_what_is_cut_is_counted_apart(world, events_too):
    """Wherever frames or events begin, what they do not tell is not called equal."""
    frames, told = kept(world), told_by(world)
    seen = Counter()
    for cut in range(0, len(frames), 1 + len(frames) // 25):
        first = frames[cut][0].received_at
        left = [one for one in told if one.event.received_at >= first]
        left = left if events_too else told
        found = judged(world, frames=frames[cut:], tellings=left)
        assert [] == found.differences
        assert len(left) == found.equal + found.unjudged.total()
        seen += found.unjudged
    assert seen[NO_BEGINNING]


def test_window_counts_what_arrived_in_it(world):
    """Everything is replayed, and only the window is counted."""
    middle = world.events()[len(world.events()) // 2].received_at
    early, late = judged(world, until=middle), judged(world, since=middle)
    assert len(world.events()) == early.equal + late.equal
    assert early.equal
    assert late.equal


def test_killed_process_leaves_a_torn_end(dialect, virtually, rng):
    """Frames without events, or events without frames, at the end are told apart."""

    async def scenario():
        world = World(dialect, feeds="ws")
        async with world.running():
            await world.until_live()
            await moved(world, rng, 20)
            await world.until_right()
        return world

    world = virtually(scenario())
    frames, told = kept(world), told_by(world)
    assert (len(told) - 3, {"cut": 3}, []) == outcome(judged(world, tellings=told[:-3]))
    equal, unjudged, differences = outcome(judged(world, frames=frames[:-3]))
    assert [] == differences
    assert len(told) == equal + unjudged["cut"]


@pytest.mark.parametrize("name", ["kraken", "bitfinex"])
def test_history_after_one_that_cannot_be_judged_is_not_judged(name):
    """Without a stream's frames it is not known what its history told; nor to the next."""
    world = lived(name, "ws,rest")
    frames = kept(world)
    streams = {frame.epoch for frame, _ in frames if frame.feed == "ws"}
    for epoch in streams:
        left = [one for one in frames if (one[0].feed, one[0].epoch) != ("ws", epoch)]
        assert [] == judged(world, frames=left).differences


@pytest.mark.parametrize("topic", [LATEST, EVENTS, FRAMES])
def test_process_that_dies_between_two_topics_is_no_difference(
    dialect, virtually, rng, topic
):
    """One of them lacks the last records; the next process starts from what is there."""

    async def scenario():
        world = World(dialect)
        for _ in range(3):
            async with world.running():
                await world.until_live()
                await moved(world, rng, 20)
                await world.until_right()
            del world.bus.records[topic.name][-5:]
            world.forget()
            await asyncio.sleep(7200)
            await moved(world, rng, 3)
        async with world.running():
            await world.until_live()
            await moved(world, rng, 20)
            await asyncio.sleep(2 * POLL_S)
        return world

    found = judged(virtually(scenario()))
    assert [] == found.differences
    assert found.equal


@pytest.mark.parametrize("seed", range(12))
def test_random_hour_is_made_again(seed, monkeypatch):
    """Whatever happens in an hour, its frames make its events; the hour says so."""
    monkeypatch.setattr(hours, "HOUR_S", 1200.0)
    assert hours.run(list(DIALECTS)[seed % len(DIALECTS)], seed) is None
