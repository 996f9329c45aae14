"""The three pages of every service, over real connections."""

import aiohttp
import pytest

from balance_shared.errors import SettingsError
from balance_shared.http import serve
from balance_shared.settings import ServiceSettings

LOOPBACK = ServiceSettings(http_host="127.0.0.1", http_port=0)


@pytest.fixture
async def get():
    """Give a function that fetches a page: status, type and body."""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as answer:
                return answer.status, answer.content_type, await answer.text()

        yield fetch


async def test_pages_say_what_the_service_says(get):
    """Health and readiness are asked anew each time."""
    health, missing = [None], {}
    async with serve(
        LOOPBACK, health=lambda: health[0], readiness=lambda: missing
    ) as url:
        assert (200, "application/json", '{"status": "ok"}') == await get(
            f"{url}/healthz"
        )
        assert (await get(f"{url}/readyz"))[0] == 200
        health[0], missing["kafka"] = "stood still", "no answer"
        assert (503, '{"status": "stood still"}') == (await get(f"{url}/healthz"))[::2]
        status, _, body = await get(f"{url}/readyz")
        assert (503, '{"ready": false, "not_ready": {"kafka": "no answer"}}') == (
            status,
            body,
        )


async def test_metrics_are_in_prometheus_text_format(get):
    """Prometheus can read them."""
    async with serve(LOOPBACK, health=lambda: None, readiness=dict) as url:
        status, kind, body = await get(f"{url}/metrics")
    assert (200, "text/plain") == (status, kind)
    assert "# TYPE balancebus_balance gauge" in body


async def test_other_pages_are_not_there(get):
    """Nothing else is served."""
    async with serve(LOOPBACK, health=lambda: None, readiness=dict) as url:
        assert (await get(url))[0] == 404


async def test_taken_port_is_a_setting_to_change():
    """The line names the setting, the address and the reason."""
    async with serve(LOOPBACK, health=lambda: None, readiness=dict) as url:
        port = int(url.rsplit(":", 1)[1])
        taken = ServiceSettings(http_host="127.0.0.1", http_port=port)
        with pytest.raises(SettingsError, match=f"HTTP_PORT.*127.0.0.1:{port}: .*use"):
            async with serve(taken, health=lambda: None, readiness=dict):
                pass
