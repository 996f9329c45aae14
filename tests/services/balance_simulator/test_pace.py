"""Producing at a rate."""

from balance_simulator.pace import Pace, venue_clock


async def test_count_is_met_exactly():
    """As many items are made as were asked for, in steps of one or two."""
    pace, left = Pace(), []

    def produce(wanted):
        left.append(wanted)
        return min(2, wanted)

    pace.start(produce, rate=0, count=1001, crowded=lambda: False)
    await pace.finished()
    assert pace.done == 1001
    assert left[-1] == 1
    assert not pace.running


async def test_rate_is_kept():
    """A hundred items at 1,000 a second take about a tenth of a second."""
    pace, started = Pace(), venue_clock()
    pace.start(lambda _left: 1, rate=1000, count=100, crowded=lambda: False)
    await pace.finished()
    assert 95_000 <= venue_clock() - started < 1_500_000


async def test_crowd_holds_traffic_back():
    """Nothing is made while readers are far behind."""
    pace, asked = Pace(), []

    def crowded():
        asked.append(pace.done)
        return len(asked) < 3

    pace.start(lambda _left: 1, rate=0, count=1, crowded=crowded)
    await pace.finished()
    assert asked == [0, 0, 0]
    pace.stop()
