"""Kill -9 in the middle of traffic: afterwards the books equal the venues'."""

import time

import pytest
from crashes import Round, play, rounds
from firm import Firm, running
from processes import ended, until

from balance_schemas.topics import EVENTS

pytestmark = pytest.mark.end_to_end

RATE = 100


@pytest.fixture(name="run")
def _run(stack, tmp_path):
    """Give a firm of some venues under traffic."""

    def run(*venues):
        name = f"crash{time.time_ns() // 1_000_000}"
        return running(lambda: Firm(stack, tmp_path, name, *venues), RATE)

    return run


@pytest.mark.parametrize("venue", ["kraken", "bitfinex", "zerohash", "ndax"])
def test_killed_connector_comes_back_right(run, stack, venue):
    """Three kills in traffic; nothing needs a hand, nothing is twice."""
    with run(venue) as firm:
        for _ in range(3):
            play(stack, firm, Round(venue, after_s=0.7, down_s=0.3))
        firm.settle()
        firm.check()


def test_two_processes_of_an_account_take_turns(run):
    """The older stands by, tells nothing, and takes over once the newer is killed."""
    with run("kraken") as firm:
        desk = firm.desks["kraken"]
        older, desk.connector = desk.connector, desk.another()
        with ended(desk.connector):
            until(lambda: "standing by" in older.readiness(), "the older to stand by")
            firm.settle()
            firm.traffic(RATE)
            time.sleep(1)
        desk.connector = older
        firm.settle()
        firm.check()
        epochs = [one.epoch for one in firm.told(EVENTS) if one.kind != "backfill"]
        assert sorted(epochs) == epochs
        assert 0 == older.stop()


def test_killed_storage_comes_back_right(run, stack):
    """A kill in traffic; nothing needs a hand, nothing is twice."""
    with run("kraken") as firm:
        play(stack, firm, Round("storage", after_s=0.7, down_s=0.3))
        firm.settle()
        firm.check()


@pytest.mark.parametrize("part", ["kafka-1", "postgres", "registry"])
def test_killed_part_comes_back_and_nothing_is_lost(run, stack, part):
    """It is killed under traffic and started again."""
    with run("kraken", "bitfinex") as firm:
        play(stack, firm, Round(part, after_s=1, down_s=2))
        firm.settle()
        firm.check()


def test_rounds_are_the_same_for_a_seed():
    """What failed once can be played again."""
    venues = ("kraken", "ndax")
    assert list(rounds(3, 20, venues)) == list(rounds(3, 20, venues))
    victims = {one.victim for one in rounds(3, 200, venues)}
    assert {"storage", "postgres", "kafka-1", "registry", *venues} == victims


def test_random_kills_lose_nothing(run, stack):
    """Three rounds at random points; `make crashes ROUNDS=50` plays more."""
    with run("kraken", "zerohash") as firm:
        for one in rounds(time.time_ns(), 3, ("kraken", "zerohash")):
            play(stack, firm, one)
        firm.settle()
        firm.check()
