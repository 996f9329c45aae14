"""Nothing to be told is lost or told twice, whatever the route does."""

import asyncio

import aiohttp
import pytest

from balance_alerting.courier import (
    AT_ONCE,
    HAND_OVER_S_MAX,
    REFUSED_S,
    Courier,
    Couriers,
)
from balance_alerting.routes import routes_of
from balance_alerting.rules_text import read_rules
from balance_shared.clock import SystemClock
from balance_shared.errors import BusInterrupted, NotDelivered
from balance_shared.service import Parts
from balance_shared.testing import ManualClock

RULES = """
routes: {hook: {type: webhook, url: "http://127.0.0.1:1/"}}
rules: [{name: low, type: balance_below, below: 10, keep_firing_for: 0s}]
"""


class Way:
    """A route that fails as often as it is told to."""

    def __init__(self, failures=0, resend_s=None, together=64):
        self.failures, self.resend_s, self.together = failures, resend_s, together
        self.refused = ""
        self.took, self.asked = [], 0

    async def send(self, notices):
        """Take some alerts, or fail."""
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise NotDelivered("away")
        if any(self.refused and self.refused in one.alert.alert_id for one in notices):
            raise NotDelivered("not liked", refused=True)
        self.took += [
            (one.alert.labels["asset"], one.kind, one.resent) for one in notices
        ]


@pytest.fixture
async def couriers():
    """Give couriers, a clock and what is not ready."""
    parts, clock = Parts(), ManualClock()
    found = Couriers(parts, clock)
    yield found, clock, parts
    await found.stop()


def low(play, make, *assets):
    """Return an engine with an alert for each asset."""
    stage = play(RULES)
    stage.tell(*(make.event(0, 5, asset=asset) for asset in assets))
    return stage


async def ours():
    """Allow it."""


async def turn(couriers, stage, allow=ours):
    """Note what was taken, then tell what is to be told."""
    couriers.note([stage.engine.alerts])
    await couriers.hand_over([stage.engine.alerts], allow)


async def test_what_was_taken_is_noted_and_not_told_again(couriers, make, play):
    """The note is on the alert, for the topic."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC", "ETH"), Way()
    await found.use({"hook": way})
    for _ in range(3):
        await turn(found, stage)
        await clock.advance(1)
    assert [("BTC", "new", False), ("ETH", "new", False)] == way.took
    stage.tell()
    assert {"1"} == {one.attributes["told.hook"] for one in stage.topic()}


async def test_a_route_that_is_away_is_told_how_things_are_once_it_is_back(
    couriers, make, play
):
    """Not how they were: an alert that is over by then is told once."""
    found, clock, parts = couriers
    stage, way = low(play, make, "BTC", "ETH"), Way(failures=100)
    await found.use({"hook": way})
    for _ in range(5):
        await turn(found, stage)
        await clock.advance(30)
    assert {"route hook": "away"} == parts.missing()
    stage.tell(make.event(1, 50, asset="ETH"))
    way.failures = 0
    for _ in range(5):
        await turn(found, stage)
        await clock.advance(30)
    kinds = dict(one[:2] for one in way.took[-2:])
    assert ({"BTC": "new", "ETH": "resolved"}, {}) == (kinds, parts.missing())


async def test_one_alert_that_is_refused_stops_no_other(couriers, make, play):
    """They are tried one by one."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC", "ETH", "SOL"), Way()
    way.refused = "ETH"
    await found.use({"hook": way})
    for _ in range(20):
        await turn(found, stage)
        await clock.advance(10)
    assert {"BTC", "SOL"} == {one[0] for one in way.took}
    assert ["ETH"] == [
        one.episode.subject.asset for one in stage.engine.alerts.owed("hook")
    ]


async def test_more_that_are_refused_than_fit_stop_no_other(couriers, make, play):
    """They are put off, so that the others get their turn."""
    found, clock, _ = couriers
    bad = [f"BAD{number}" for number in range(AT_ONCE + 1)]
    stage, way = low(play, make, *bad, "BTC"), Way()
    way.refused = "BAD"
    await found.use({"hook": way})
    for _ in range(4):
        await turn(found, stage)
        await clock.advance(1)
    assert [("BTC", "new", False)] == way.took
    asked, way.refused = way.asked, ""
    await turn(found, stage)
    await clock.advance(1)
    assert asked == way.asked
    await clock.advance(REFUSED_S)
    for _ in range(3):
        await turn(found, stage)
        await clock.advance(1)
    assert len(bad) + 1 == len(way.took)


async def test_what_is_old_is_not_told(couriers, make, play):
    """A process that stood still, or a slow route, says nothing that may be over."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC", "ETH"), Way(together=1)
    await found.use({"hook": way})

    async def slow(notices):
        await clock.sleep(HAND_OVER_S_MAX)
        way.took += [(one.alert.labels["asset"], one.kind) for one in notices]

    way.send = slow
    await turn(found, stage)
    await clock.advance(1)
    stage.tell(make.event(1, 50, asset="ETH"))
    for _ in range(3):
        await clock.advance(HAND_OVER_S_MAX)
        await turn(found, stage)
    assert [("BTC", "new"), ("ETH", "resolved")] == way.took


async def test_what_is_under_way_is_given_up_and_told_again(couriers, make, play):
    """As when the partitions are given out anew."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC"), Way(failures=1)
    await found.use({"hook": way})
    await turn(found, stage)
    await clock.advance(0)
    await found.recall()
    assert [] == way.took
    await turn(found, stage)
    await clock.advance(1)
    assert [("BTC", "new", False)] == way.took


async def test_nothing_is_told_of_alerts_that_are_not_ours(couriers, make, play):
    """The process stood still, and another one has them."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC"), Way()
    await found.use({"hook": way})

    async def theirs():
        raise BusInterrupted("they have gone")

    with pytest.raises(BusInterrupted):
        await turn(found, stage, theirs)
    await clock.advance(1)
    assert [] == way.took


async def test_what_lasts_is_sent_again_to_those_who_forget(couriers, make, play):
    """As Alertmanager does, which is not told of anything new by that."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC"), Way(resend_s=60)
    await found.use({"hook": way})
    for _ in range(130):
        await turn(found, stage)
        await clock.advance(1)
    assert [False, True, True] == [resent for _, _, resent in way.took]


async def test_a_new_start_in_the_same_process_tells_nothing_twice(
    couriers, make, play
):
    """What was taken while the engine was made anew is remembered."""
    found, clock, _ = couriers
    stage, way = low(play, make, "BTC"), Way()
    await found.use({"hook": way})
    await turn(found, stage)
    await clock.advance(1)
    again = play(RULES, before=stage.topic(), past=[make.event(0, 5)])
    for _ in range(3):
        await turn(found, again)
        await clock.advance(1)
    assert 1 == len(way.took)
    assert [] == list(again.engine.alerts.owed("hook"))


async def test_a_webhook_that_was_out_of_order_is_told(hook, make, play):
    """With real HTTP and time."""
    rules = read_rules(RULES.replace("http://127.0.0.1:1/", hook.url))
    stage = low(play, make, "BTC")
    hook.status = 503
    async with aiohttp.ClientSession() as session:
        (way,) = routes_of(rules.routes, session, SystemClock()).values()
        courier = Courier("hook", way, Parts(), SystemClock())
        courier.hand_over(courier.collect([stage.engine.alerts]))
        async with asyncio.timeout(120):
            while hook.asked < 2:  # noqa: ASYNC110 — the webhook tells nobody
                await asyncio.sleep(0.01)
            hook.status = 200
            while not courier.take_done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await courier.stop()
    assert [("low", "new")] == hook.rules()
