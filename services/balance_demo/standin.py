"""What the demo asks of a stand-in venue, and of the services' /metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from balance_demo.books import Books
from balance_demo.venues import DemoVenue

ANSWER_S_MAX = 5.0
"""How long an answer may take, in seconds."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """One stand-in venue that runs.

    Attributes:
        venue: its row in the table.
        account: our alias for its account.
        control_url: base URL of its control interface.
    """

    venue: DemoVenue
    account: str
    control_url: str

    async def books(self, http: aiohttp.ClientSession) -> Books:
        """Return the true balances now."""
        async with http.get(f"{self.control_url}/truth") as answer:
            answer.raise_for_status()
            return self.venue.books(self.account, await answer.json())

    async def traffic(self, http: aiohttp.ClientSession, **arguments: Any) -> None:
        """Start or stop background traffic."""
        await self._post(http, "traffic", arguments)

    async def play(
        self, http: aiohttp.ClientSession, fault: str, arguments: Mapping[str, Any]
    ) -> None:
        """Make trouble."""
        await self._post(http, "fault", {"fault": fault, **arguments})

    async def _post(
        self, http: aiohttp.ClientSession, path: str, body: Mapping[str, Any]
    ) -> None:
        async with http.post(f"{self.control_url}/{path}", json=body) as answer:
            answer.raise_for_status()


def session() -> aiohttp.ClientSession:
    """Return a client whose calls end in time."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX))


async def metrics(http: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """Return the metrics of a service: name of a series → sum over its labels."""
    async with http.get(url) as answer:
        answer.raise_for_status()
        return sums(await answer.text())


def sums(text: str) -> dict[str, float]:
    """Return name → sum over all labels, of metrics in Prometheus text form."""
    total: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            total[sample.name] = total.get(sample.name, 0.0) + sample.value
    return total
