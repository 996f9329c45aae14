"""Trust in an account comes from its feed, and in a balance from its proof."""

import pytest

from balance_alerting.accounts import (
    EVENTS_REMEMBERED,
    Account,
    Balance,
    Feed,
    figures_of,
)
from balance_alerting.selectors import Subject

ACCOUNT = Subject("kraken", "main")


def account(make, *feeds):
    """Return an account that was told the states of its feeds at noon."""
    found = Account(ACCOUNT)
    for name, state in feeds:
        found.feeds[name] = Feed(make.status(0, state, feed=name), make.at(0))
    return found


@pytest.mark.parametrize(
    ("state", "stale"),
    [
        ("live", False),
        ("degraded", False),
        ("stale", True),
        ("connecting", True),
        ("syncing", True),
        ("maintenance", True),
        ("refused", True),
        ("stopped", True),
        ("a new word", True),
    ],
)
def test_only_live_and_degraded_feeds_are_trusted(state, stale, make):
    """An unknown state is no good one."""
    found = account(make, ("ws", state))
    assert stale == found.look(make.at(1))
    assert stale == bool(found.stale)


def test_silence_is_stale(make):
    """A connector that was killed says nothing of it."""
    found = account(make, ("ws", "live"))
    assert [False, True] == [found.look(make.at(44.9)), found.look(make.at(45))]
    assert make.at(0) == found.stale_since


def test_the_feed_of_the_events_counts(make):
    """A secondary feed that is away says nothing about the balances."""
    found = account(make, ("ws", "stale"), ("rest", "live"))
    assert found.look(make.at(1))
    found.feed = "rest"
    found.look(make.at(1))
    assert not found.stale


def test_without_a_status_figures_speak_for_themselves(make):
    """Nothing is known against them."""
    assert not account(make).look(make.at(1))


def test_event_ids_are_remembered_for_a_while():
    """The newest ones, a bounded number."""
    balance = Balance(ACCOUNT, Account(ACCOUNT))
    news = [balance.is_news(f"{n}") for n in range(EVENTS_REMEMBERED + 1)]
    assert all(news)
    assert (True, False) == (
        balance.is_news("0"),
        balance.is_news(f"{EVENTS_REMEMBERED}"),
    )
    assert EVENTS_REMEMBERED == len(balance.seen)


def test_of_what_is_absent_nothing_is_free(make):
    """Whatever the record says of it."""
    assert 0 == figures_of(make.event(0, 0, kind="absent")).available
    assert figures_of(make.event(0, 5)).available is None
