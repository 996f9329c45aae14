"""States leave after all that was told before them, and little waits meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_proof.merge import Merge, OutOfOrderError
from balance_shared.kafka import Incoming

STATES, EVENTS, COPIES = PLACES = ("status", 0), ("events", 0), ("latest", 0)
MARGIN_MS = 100


def told_of(times):
    """Return records that were told in this order: (place, time) each."""
    counts = dict.fromkeys(PLACES, 0)
    told = []
    for place, time_ms in times:
        told.append(Incoming(*place, counts[place], None, b"", time_ms))
        counts[place] += 1
    return told


def at(record):
    """Return the place of a record."""
    return record.topic, record.partition


class Reading:
    """A start that reads what was told, in steps of any size.

    Args:
        told: all that is there.
        margin_ms: of the merge.
    """

    def __init__(self, told, margin_ms=MARGIN_MS):
        self.queues = {place: [r for r in told if at(r) == place] for place in PLACES}
        self.ends = {place: len(queue) for place, queue in self.queues.items()}
        self.read = dict.fromkeys(PLACES, 0)
        self.merge = Merge(STATES, PLACES, margin_ms)
        self.taken, self.waiting_max = [], 0
        self.merge.reach(self.read)
        self.merge.go_to(self.ends, 0)

    def step(self, place, count):
        """Read some records of a place; take what is ready."""
        start = self.read[place]
        records = self.queues[place][start : start + count]
        self.merge.put({place: records})
        self.read[place] += len(records)
        self.merge.reach(self.read)
        self.waiting_max = max(
            self.waiting_max, sum(self.read.values()) - len(self.taken)
        )
        self.taken += self.merge.ready()
        if self.merge.waits:
            self.merge.go_to(self.ends, 0)
            self.taken += self.merge.ready()

    def run(self, rng, most=3):
        """Read all; return what was taken, in that order."""
        while self.merge.hungry:
            self.step(rng.choice(list(self.merge.hungry)), rng.randint(1, most))
        return self.taken


lives = st.lists(
    st.tuples(st.sampled_from(PLACES), st.integers(0, 50), st.integers(0, 40))
).map(
    lambda steps: [
        (place, sum(gap for _, gap, _ in steps[: n + 1]) + early)
        for n, (place, _, early) in enumerate(steps)
    ]
)
"""Records whose times are up to 40 ms out of order: clocks of several accounts."""

random = st.randoms(use_true_random=True)


@given(lives, random)
def test_state_leaves_after_all_that_was_told_before_it(times, rng):
    """However the reading goes, and though clocks differ by less than the margin."""
    told = told_of(times)
    taken = Reading(told).run(rng)
    assert sorted(map(repr, told)) == sorted(map(repr, taken))
    place_of = {repr(record): number for number, record in enumerate(taken)}
    for number, state in enumerate(told):
        if at(state) == STATES:
            before = [place_of[repr(record)] for record in told[:number]]
            assert max(before, default=-1) < place_of[repr(state)]


@given(lives, random)
def test_order_of_a_place_is_kept(times, rng):
    """A later figure never comes before an earlier one."""
    told = told_of(times)
    taken = Reading(told).run(rng)
    for place in PLACES:
        assert [r for r in told if at(r) == place] == [
            r for r in taken if at(r) == place
        ]


@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.integers(0, 10**6))),
    random,
)
def test_clocks_that_differ_by_more_are_seen(times, rng):
    """Either the order holds, or the margin is named with which it does."""
    told = told_of(times)
    margin_ms, taken = MARGIN_MS, None
    for _ in range(64):
        try:
            taken = Reading(told, margin_ms).run(rng)
            break
        except OutOfOrderError as error:
            margin_ms = max(margin_ms + 1, error.margin_ms)
    assert len(told) == len(taken or [])
    for number, record in enumerate(taken):
        for later in taken[number:]:
            if at(record) == STATES and at(later) != STATES:
                assert record.time_ms < later.time_ms or told_after(told, record, later)


def told_after(told, state, record):
    """Whether a record was told after a state, whatever their times say."""
    return told.index(state) < told.index(record)


def test_reading_keeps_little(make):
    """Of thousands of records of each topic only some wait at any time."""
    told = told_of([(place, n) for n in range(3000) for place in PLACES])
    reading = Reading(told)
    while reading.merge.hungry:
        reading.step(next(iter(reading.merge.hungry)), 10)
    assert 9000 == len(reading.taken)
    assert MARGIN_MS + 3 * 10 + len(PLACES) >= reading.waiting_max


def test_state_waits_for_what_is_there_when_it_is_read():
    """At the end of the topics time says nothing: all that is there has to be taken."""
    merge = Merge(STATES, PLACES, MARGIN_MS)
    state, event = told_of([(STATES, 10), (EVENTS, 9)])
    merge.put({STATES: [state]})
    merge.reach({STATES: 1})
    merge.go_to({STATES: 1, EVENTS: 1}, 0)
    assert [] == list(merge.ready())
    assert [EVENTS] == list(merge.hungry)
    assert not merge.is_through({STATES: 1})
    merge.put({EVENTS: [event]})
    merge.reach({EVENTS: 1})
    assert [event, state] == list(merge.ready())
    assert merge.is_through({STATES: 1, EVENTS: 1})


def test_place_whose_last_records_are_gone_holds_up_nobody():
    """Compaction takes records away; the position says that none is left."""
    merge = Merge(STATES, PLACES, MARGIN_MS)
    (state,) = told_of([(STATES, 10)])
    merge.put({STATES: [state]})
    merge.reach({STATES: 1, COPIES: 7})
    merge.go_to({STATES: 1, COPIES: 7}, 0)
    assert [state] == list(merge.ready())


def test_late_record_names_the_margin_that_would_do():
    """The state that left before it was told at 500, and it says 300."""
    told = [(STATES, 500), (EVENTS, 700), (EVENTS, 300)]
    reading = Reading(told_of(told))
    reading.step(STATES, 1)
    reading.step(EVENTS, 1)
    assert [STATES, EVENTS] == [at(one) for one in reading.taken]
    with pytest.raises(OutOfOrderError) as caught:
        reading.step(EVENTS, 1)
    assert 600 == caught.value.margin_ms


def test_state_that_is_new_waits_for_the_ends_to_be_asked():
    """Unless they were asked long after it was told."""
    for asked_ms, leave in ((150, []), (10 + MARGIN_MS, []), (200, [STATES])):
        merge = Merge(STATES, PLACES, MARGIN_MS)
        merge.go_to({}, asked_ms)
        merge.put({STATES: told_of([(STATES, 60 if asked_ms == 150 else 10)])})
        merge.reach({STATES: 1})
        assert leave == [at(one) for one in merge.ready()]
        assert (not leave) == merge.waits
        merge.go_to({}, 0)
        assert [STATES] == leave + [at(one) for one in merge.ready()]
