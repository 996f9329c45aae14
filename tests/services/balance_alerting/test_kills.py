"""A kill between any two effects loses no notice, and invents none."""

from hypothesis import given, settings
from hypothesis import strategies as st
from killed import World, happened, heard, live

from balance_alerting.rules_text import read_rules
from balance_schemas.topics import EVENTS, LATEST, PROOFS, RECONCILIATIONS, STATUS

RULES = read_rules("""
routes: {one: {type: log}, two: {type: log}}
data_quality: {for: 2s, keep_firing_for: 0s}
rules:
  - {name: low, type: balance_below, below: 5, clear: 6, keep_firing_for: 0s}
  - {name: slow, type: balance_below, below: 7, for: 3s, keep_firing_for: 2s, repeat: 20s}
  - {name: fall, type: drop, amount: 4, window: 6s, keep_firing_for: 0s}
  - {name: out, type: withdrawal, keep_firing_for: 5s, route: one}
  - {name: rest, type: reconciliation_failed, keep_firing_for: 0s}
  - {name: off, type: proof_violated, keep_firing_for: 0s}
  - {name: stale, type: stale_for, for: 2s, keep_firing_for: 0s}
""")


def steps_of(story, make):
    """Return steps for `live`: each tells some records, then lets time pass."""
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

    return [step(*one) for one in story]


def stories():
    """Return what is told, in steps: (seconds after it, records)."""
    record = st.one_of(
        st.tuples(st.just("event"), st.integers(0, 9)),
        st.tuples(st.just("out"), st.integers(0, 9)),
        st.tuples(st.just("status"), st.sampled_from(["live", "stale"])),
        st.tuples(st.just("proof"), st.sampled_from(["PROVEN", "VIOLATED"])),
        st.tuples(st.just("compared"), st.sampled_from(["consistent", "inconsistent"])),
    )
    wait = st.sampled_from([0, 1, 2, 5, 11])
    return st.lists(st.tuples(wait, st.lists(record, max_size=4)), max_size=8)


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
    """Return how each alert stands at the end."""
    return {
        name: (
            one.state,
            one.started_at,
            one.resolved_at,
            one.notice,
            one.count,
            one.worst,
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


async def check(story, make, kill_after, whole):
    """Compare a life with kills to one without, while compaction takes all it may."""
    world = await lived(story, make, kill_after, compacted=True)
    assert kept(whole) == kept(world)
    episodes = happened(whole)
    for route in world.told:
        one, other = heard(whole, route), heard(world, route)
        assert one.keys() == other.keys()
        for alert, told in other.items():
            assert [] == wrong(told, episodes[alert])
            assert set(one[alert]) <= set(told)


async def test_a_kill_after_any_effect_changes_nothing_that_is_told(make):
    """Alerts that end and begin anew, with every record, commit and hand-over."""
    whole = await lived(FLAPPING, make)
    assert whole.effects > 70
    for number in range(1, whole.effects + 1):
        await check(FLAPPING, make, [number], whole)


async def heard_of(story, make, kill_after):
    """Return the lives without and with kills."""
    whole = await lived(story, make)
    numbers = {1 + one % max(1, whole.effects + 5) for one in kill_after}
    await check(story, make, numbers, whole)


@settings(max_examples=60, deadline=None)
@given(story=stories(), kills=st.lists(st.integers(0, 500), max_size=4))
async def test_kills_change_nothing_that_is_told(story, kills, make):
    """Of any story, and of kills soon after one another."""
    await heard_of(story, make, kills)
