"""Questions for what is available: coalesced, limited, given up in the end."""

import json
from collections import deque
from datetime import timedelta

from bitfinex_conversation import NOW
from hypothesis import given
from hypothesis import strategies as st

from balance_connector.venues.bitfinex.calc import (
    BATCH_MAX,
    TIMEOUT,
    TRIES_MAX,
    CalcQueue,
)

SECOND = timedelta(seconds=1)


def asked(queue: CalcQueue, now) -> list[str]:
    """Return the names that are asked for at a time."""
    return [name for request in queue.due(now) for (name,) in json.loads(request)[3]]


def test_form_of_a_request():
    """Channel 0, calc, null, lists of one name each."""
    queue = CalcQueue()
    queue.want("wallet_exchange_BTC")

    assert (b'[0,"calc",null,[["wallet_exchange_BTC"]]]',) == queue.due(NOW)


def test_wallet_is_asked_for_once_at_a_time():
    """Many changes make one question."""
    queue = CalcQueue()
    for _ in range(100):
        queue.want("a")

    assert ["a"] == asked(queue, NOW)
    queue.want("a")
    assert [] == asked(queue, NOW + 5 * SECOND)


def test_silence_is_asked_again_and_given_up():
    """A wallet whose answer never comes stays unknown."""
    queue = CalcQueue()
    queue.want("a")
    times = [asked(queue, NOW + n * TIMEOUT) for n in range(10)]

    assert [["a"]] * TRIES_MAX + [[]] * (10 - TRIES_MAX) == times


def test_new_change_starts_the_tries_anew():
    """What was given up is asked for when it changes."""
    queue = CalcQueue()
    queue.want("a")
    for n in range(10):
        asked(queue, NOW + n * TIMEOUT)
    queue.want("a")

    assert ["a"] == asked(queue, NOW + 10 * TIMEOUT)


def test_all_wallets_have_their_turn():
    """The oldest question goes first; silent wallets do not hold up the others."""
    queue = CalcQueue()
    names = [f"w{n}" for n in range(40)]
    for name in names:
        queue.want(name)
    order = [name for n in range(40) for name in asked(queue, NOW + n * SECOND / 4)]

    assert names == order[:40]


def test_clock_that_is_set_back_only_delays():
    """Times to come say nothing about what was sent."""
    queue = CalcQueue()
    for number in range(16):
        queue.want(f"w{number}")
    hours_ago = NOW - timedelta(hours=1)

    assert 8 == len(asked(queue, NOW))
    assert [] == asked(queue, hours_ago)
    assert 8 == len(asked(queue, hours_ago + 2 * SECOND))


moves = st.lists(
    st.tuples(
        st.sampled_from(["want", "told", "clear", "due", "due", "due"]),
        st.integers(0, 60),
        st.integers(0, 2_000),
    ),
    max_size=200,
)


@given(story=moves)
def test_limits_hold_for_any_story(story):
    """Never more than 8 names in any second, nor 30 in a request, nor a name twice."""
    queue, now, sent = CalcQueue(), NOW, deque()
    for number in range(40):
        queue.want(f"w{number}")
    for move, number, wait_ms in story:
        now += timedelta(milliseconds=wait_ms)
        if move == "want":
            queue.want(f"w{number}")
        elif move == "told":
            queue.told(f"w{number}")
        elif move == "clear":
            queue.clear()
        else:
            requests = [json.loads(request)[3] for request in queue.due(now)]
            assert all(0 < len(names) <= BATCH_MAX for names in requests)
            names = [name for each in requests for (name,) in each]
            assert len(set(names)) == len(names)
            sent += [now] * len(names)
        while sent and now - sent[0] > SECOND:
            sent.popleft()
        assert len(sent) <= 8
