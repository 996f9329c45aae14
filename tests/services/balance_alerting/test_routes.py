"""Routes against a real Alertmanager and a webhook that can fail."""

import asyncio
import json

import aiohttp
import pytest

from balance_alerting.notices import notice_of, signature
from balance_alerting.routes import routes_of
from balance_alerting.rules_text import read_rules
from balance_shared.clock import SystemClock
from balance_shared.errors import NotDelivered, SettingsError

RULES = """
routes: {log: {type: log}}
rules: [{name: low, type: balance_below, below: 10, keep_firing_for: 0s}]
"""


@pytest.fixture
def notice(make, play):
    """Give a notice."""
    return notices(make, play)[0]


def notices(make, play, assets=("BTC",)):
    """Return a notice for each asset."""
    stage = play(RULES)
    stage.tell(*(make.event(0, 5, asset=asset) for asset in assets))
    alerts = stage.engine.alerts
    return [notice_of(one, alerts.rule("low")) for one in alerts.owed("log")]


@pytest.fixture
async def route():
    """Give a function that makes a route from its settings."""
    async with aiohttp.ClientSession() as session:

        def make_route(settings):
            rules = read_rules(f"routes: {{it: {json.dumps(settings)}}}")
            return routes_of(rules.routes, session, SystemClock())["it"]

        yield make_route


async def test_alertmanager_takes_alerts(alertmanager, route, make, play):
    """A real one, by its API v2."""
    told = notices(make, play, ("BTC", "ETH"))
    await route({"type": "alertmanager", "url": alertmanager.url}).send(told)
    found = {one["labels"]["asset"]: one for one in alertmanager.alerts()}
    assert {"BTC", "ETH"} == set(found)
    assert "5" == found["BTC"]["annotations"]["value"]


def twice(make, play):
    """Return the notice of a process that was killed before its note, and the next's."""
    first = play(RULES)
    first.tell(make.event(0, 5))
    second = play(RULES, before=first.topic(), past=[make.event(0, 5)])
    return [
        notice_of(one, stage.engine.alerts.rule("low"))
        for stage in (first, second)
        for one in stage.engine.alerts.owed("log")
    ]


async def test_alertmanager_shows_nothing_of_a_repeated_notice(
    alertmanager, receiver, route, make, play
):
    """A kill between its answer and our note: one alert, and people are told once."""
    am = route({"type": "alertmanager", "url": alertmanager.url})
    held = []
    for notice in twice(make, play):
        await am.send([notice])
        await asyncio.sleep(2.5)  # longer than it gathers what it tells people
        held.append(
            [
                (one["fingerprint"], one["startsAt"], one["status"]["state"])
                for one in alertmanager.alerts()
            ]
        )
    assert [1, held[0]] == [len(held[0]), held[1]]
    assert ["firing"] == [one["status"] for one in receiver.got]


async def test_a_webhook_knows_a_repeated_notice_by_its_id(hook, route, make, play):
    """The same id and the same body, by another process."""
    webhook = route({"type": "webhook", "url": hook.url})
    for notice in twice(make, play):
        await webhook.send([notice])
    first, second = hook.headers
    assert first["X-Balancebus-Id"] == second["X-Balancebus-Id"]
    assert hook.got[0] == hook.got[1]


async def test_a_webhook_is_signed_with_the_secret_of_a_file(
    hook, route, notice, tmp_path
):
    """The address may be a secret too."""
    (tmp_path / "secret").write_text("key\n")
    (tmp_path / "url").write_text(f"{hook.url}\n")
    files = {"secret_file": f"{tmp_path}/secret", "url_file": f"{tmp_path}/url"}
    await route({"type": "webhook", **files}).send([notice])
    (headers,), (body,) = hook.headers, hook.bodies
    proof = signature(b"key", headers["X-Balancebus-Timestamp"], body)
    assert f"sha256={proof}" == headers["X-Balancebus-Signature"]
    assert notice.notice_id == headers["X-Balancebus-Id"]


@pytest.mark.parametrize(
    ("status", "refused"),
    [(500, False), (302, False), (404, False), (429, False), (400, True)],
)
async def test_only_success_is_success(status, refused, hook, route, notice):
    """A redirect is not followed: it would take the alert elsewhere."""
    hook.status = status
    with pytest.raises(NotDelivered, match=f"HTTP {status} as you say") as caught:
        await route({"type": "webhook", "url": hook.url}).send([notice])
    assert refused == caught.value.refused


async def test_nobody_there_is_told(route, notice):
    """And may be there later."""
    with pytest.raises(NotDelivered, match="ClientConnector"):
        await route({"type": "webhook", "url": "http://127.0.0.1:1/x"}).send([notice])


@pytest.mark.parametrize("text", [None, b"", b"\xff", b"ftp://x"])
def test_files_that_hold_no_address_are_refused(text, route, tmp_path):
    """At the start or the reload, not when there is an alert."""
    if text is not None:
        (tmp_path / "url").write_bytes(text)
    with pytest.raises(SettingsError, match="route it: "):
        route({"type": "webhook", "url_file": f"{tmp_path}/url"})
