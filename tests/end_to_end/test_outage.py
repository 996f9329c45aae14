"""Alertmanager is away while alerting is killed: all is told, nothing twice as new."""

import pytest
from outage import INSTALLED, MUST_BE, Outage, Plan

pytestmark = [pytest.mark.end_to_end, pytest.mark.integration]


async def test_an_outage_loses_nothing_and_tells_nothing_twice_as_new(stack, tmp_path):
    """A few seconds of it; `make outage` plays five minutes."""
    if not INSTALLED and not MUST_BE:
        pytest.skip(
            "no Alertmanager: install the Debian package prometheus-alertmanager"
        )
    plan = Plan(away_s=10, kills=2, seed=7, resend="2s")
    found = await Outage(stack, tmp_path, plan, print).run()
    assert () == found.wrong
    assert min(found.arisen, found.resolved, found.lasting) > 0


def test_kills_lie_within_the_outage():
    """Spread over it, at other times for another seed."""
    plan = Plan(away_s=300, kills=10, seed=1)
    times = plan.killed_at()
    assert sorted(times) == times
    assert 10 == len([at for at in times if 0 < at < 300])
    assert times != Plan(away_s=300, kills=10, seed=2).killed_at()
