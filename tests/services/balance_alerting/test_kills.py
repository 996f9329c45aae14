"""A kill between any two effects loses no notice, and invents none."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from killed import World, happened, heard, live, share

from balance_alerting.alerts import WRITTEN_EVERY
from balance_alerting.rules_text import read_rules
from balance_schemas.topics import EVENTS, LATEST, PROOFS, RECONCILIATIONS, STATUS

RULES = read_rules("""
routes: {one: {type: log}, two: {type: log}}
data_quality: {for: 2s, keep_firing_for: 0s}
rules:
  - {name: low, type: balance_below, below: 5, clear: 6, keep_firing_for: 0s}
  - {name: slow, type: balance_below, below: 7, for: 3s, keep_firing_for: 2s}
  - {name: fall, type: drop, amount: 4, window: 6s, keep_firing_for: 0s}
  - {name: out, type: withdrawal, keep_firing_for: 5s, route: one}
  - {name: rest, type: reconciliation_failed, keep_firing_for: 0s}
  - {name: off, type: proof_violated, keep_firing_for: 0s}
  - {name: stale, type: stale_for, for: 2s, keep_firing_for: 0s}
""")


LONG_S = WRITTEN_EVERY.total_seconds() + 1


def steps_of(story, make):
    """Return steps for `live`: each tells some records, then lets time pass.

    After the last one the figures that are not written yet are.
    """
    number, before = iter(range(10_000)), [20]

    def record(kind, what, now):
        if kind in {"event", "out"}:
            balance = before[0] - 1 if kind == "out" else what
            delta, before[0] = make.amount(balance - before[0]), balance
            names = {"event_id": f"n{next(number)}", "received_at": now, "delta": delta}
            if kind == "out":
                names["movements"] = make.moved(0, 0, -1, "withdrawal").movements
            return EVENTS, make.event(0, balance, **names)
        if kind == "status":
            return STATUS, make.status(0, what, since=now)
        if kind == "proof":
            return PROOFS, make.proof(0, what, checked_at=now)
        times = {"requested_at": now, "answered_at": now}
        return RECONCILIATIONS, make.compared(0, what, **times)

    def step(wait, told):
        def take(world):
            for kind, what in told:
                topic, one = record(kind, what, world.clock.now())
                world.write(topic, one)
                if topic is EVENTS:
                    world.write(LATEST, one)
            return wait

        return take

    return [step(*one) for one in (*story, (LONG_S, []))]


STATES = (
    st.tuples(st.just("status"), st.sampled_from(["live", "stale"])),
    st.tuples(st.just("proof"), st.sampled_from(["PROVEN", "VIOLATED"])),
)
"""A start knows them as they are by then: what they were before is on no topic."""


def stories(*states):
    """Return what is told, in steps: (seconds after it, records)."""
    record = st.one_of(
        st.tuples(st.just("event"), st.integers(0, 9)),
        st.tuples(st.just("out"), st.integers(0, 9)),
        st.tuples(st.just("compared"), st.sampled_from(["consistent", "inconsistent"])),
        *states,
    )
    wait = st.sampled_from([0, 1, 2, 5, 11])
    return st.lists(st.tuples(wait, st.lists(record, max_size=4)), max_size=8)


DIP = [(0, [("event", 0)]), (0, [("out", 0), ("event", 0)]), (11, [])]
"""Lowest for a moment, at the time at which the alert begins."""

EARLY_DIP = [
    (1, [("event", 9), ("event", 4)]),
    (7, [("event", 2)]),
    (1, [("event", 3)]),
    (2, [("event", 9)]),
]
"""Lowest long before the last event, and not written since."""

UNKNOWN = [(0, [("compared", "consistent"), ("compared", "inconsistent")] * 2)]
"""Of an account of which a start finds nothing but its alert, which has ended."""

MOMENTS = [(0, [("compared", "inconsistent"), ("compared", "consistent")] * 2)]
"""Each alert ends at the time at which it began."""

FLAPPING = [
    (0, [("event", 9)]),
    (1, [("event", 4)]),
    (1, [("event", 9), ("event", 4)]),
    (0, [("out", 3), ("out", 2)]),
    (4, [("event", 9), ("event", 4), ("event", 9), ("event", 3)]),
    (1, [("compared", "inconsistent"), ("compared", "consistent")]),
    (9, [("event", 9)]),
    (2, [("compared", "inconsistent")]),
]


async def lived(story, make, kill_after=(), *, compacted=False):
    """Return the world after a story."""
    world = World(RULES, make.at(0), kill_after)
    if compacted:
        write = world.write

        def write_and_compact(*arguments):
            write(*arguments)
            world.compact()

        world.write = write_and_compact
    await live(world, steps_of(story, make))
    return world


def kept(world):
    """Return how each alert stands at the end.

    How far a drop went is left out: a peak that was told long before a start and held
    until shortly before is not read again.
    """
    return {
        name: (
            one.state,
            one.started_at,
            one.resolved_at,
            one.notice,
            one.count,
            one.rule == "fall" or one.worst,
            one.told,
            one.before,
        )
        for name, one in world.last().items()
    }


def wrong(told, episodes):
    """Return what is wrong with what a route was told of an alert, in order.

    Args:
        told: (beginning, number, kind) of each notice, in the order of telling.
        episodes: beginning → (last notice, whether it is over) of what there was.
    """
    found = []
    if told != sorted(told):
        found.append(f"not in order: {told}")
    for began, number, kind in told:
        last, over = episodes.get(began, (0, False))
        if number > last or (kind == "resolved") != (over and number == last):
            found.append(f"never was: {began} {number} {kind}")
        if kind == "new" and number != 1:
            found.append(f"new as {number}")
        ends = [one for one in told if one[0] == began and one[2] == "resolved"]
        if over and not ends:
            found.append(f"the end of {began} is left out")
    return found


def moments(world, alert):
    """Return the first notices of those that ended as they began."""
    ended = [one for one in world.written if one.alert_id == alert]
    began = {one.started_at for one in ended if one.resolved_at == one.started_at}
    return {(at, 1, "new") for at in began}


async def check(story, make, kill_after, whole):
    """Compare a life with kills to one without, while compaction takes all it may.

    Of an alert that lasted for no time its end may be told alone.
    """
    world = await lived(story, make, kill_after, compacted=True)
    assert kept(whole) == kept(world)
    episodes = happened(whole)
    for route in world.told:
        one, other = heard(whole, route), heard(world, route)
        assert one.keys() == other.keys()
        for alert, told in other.items():
            assert [] == wrong(told, episodes[alert])
            assert set(one[alert]) <= set(told) | moments(whole, alert)


@pytest.mark.parametrize(
    ("story", "effects"),
    [(FLAPPING, 70), (DIP, 20), (EARLY_DIP, 20), (UNKNOWN, 9), (MOMENTS, 9)],
)
async def test_a_kill_after_any_effect_changes_nothing_that_is_told(
    story, effects, make
):
    """Alerts that end and begin anew, with every record, commit and hand-over."""
    whole = await lived(story, make)
    assert whole.effects > effects
    for number in range(1, whole.effects + 1):
        await check(story, make, [number], whole)


@settings(max_examples=60, deadline=None)
@given(story=stories(), kills=st.lists(st.integers(0, 500), max_size=4))
async def test_kills_change_nothing_that_is_told(story, kills, make):
    """Of any story, and of kills soon after one another."""
    whole = await lived(story, make)
    await check(story, make, {1 + one % (whole.effects + 5) for one in kills}, whole)


async def test_a_clock_that_was_set_back_keeps_no_alert_waiting(make):
    """The record says a time that has not come yet; the start knows better."""
    world = World(RULES, make.at(0))

    def set_back(world):
        world.clock.move(-3000)
        world.kill_after = {world.effects + 1}

    story = [(3000, [("event", 4)]), (1, []), (5, [("event", 9)]), (1, [])]
    steps = steps_of(story, make)
    await live(world, [*steps[:2], set_back, *steps[2:]])
    assert {"low": "resolved", "slow": "resolved"} == {
        one.rule: one.state for one in world.last().values() if one.rule != "fall"
    }


async def test_topics_that_were_made_anew_keep_no_alert_waiting(make):
    """Their numbers begin again, below those that the alerts' records say."""
    world = World(RULES, make.at(0))
    await live(world, steps_of([(1, [("event", 9)] * 9 + [("event", 4)])], make))
    events = f"w.{EVENTS.name}.v1", 0
    world.log[events], world.ends[events] = [], 0
    await live(world, steps_of([(1, [("event", 9)])], make))
    assert "resolved" == world.last()["low|kraken|main||spot/main|BTC"].state


@settings(max_examples=60, deadline=None)
@given(story=stories(), given_at=st.sets(st.integers(1, 80), max_size=6))
@example(story=[*[(0, [])] * 4, *DIP], given_at={73})
async def test_partitions_that_go_to_another_instance_lose_nothing(
    story, given_at, make
):
    """Also where the one that had them does not know yet, and takes a turn more."""
    whole = await lived(story, make)
    world = World(RULES, make.at(0))
    await share(world, steps_of(story, make), given_at)
    assert kept(whole) == kept(world)
    episodes = happened(whole)
    for route in world.told:
        for alert, told in heard(world, route).items():
            assert [] == wrong(told, episodes[alert])


@settings(max_examples=60, deadline=None)
@given(
    story=stories(*STATES),
    kills=st.lists(st.integers(1, 60), max_size=4),
    away=st.sets(st.integers(0, 8)),
    mute=st.sets(st.integers(0, 8)),
)
async def test_a_route_that_is_away_at_times_is_told_every_end(
    story, kills, away, mute, make
):
    """Of what it may know of, before anything newer, and how things are at the end."""
    world = World(RULES, make.at(0), kills)
    steps = steps_of(story, make)

    def while_away(step, number):
        def take(world):
            world.away = {"one"} if number in away else set()
            world.mute = {"two"} if number in mute else set()
            return step(world)

        return take

    def back(world):
        world.away = world.mute = set()
        return 30

    found = [while_away(step, number) for number, step in enumerate(steps)]
    await live(world, [*found, back, lambda _: 30])
    episodes = happened(world)
    for route in world.told:
        for alert, told in heard(world, route).items():
            ends = [one for one in told if one[2] == "resolved"]
            news = [one for one in told if one[2] == "new"]
            assert told == sorted(told)
            assert {1} >= {number for _, number, _ in news}
            assert {one[0] for one in ends} >= {
                began for began, _, _ in told if episodes[alert][began][1]
            }
    for name, episode in world.last().items():
        for route in episode.told:
            if episode.notice:
                told = heard(world, route)[name][-1]
                assert (episode.started_at, episode.notice) == told[:2]
