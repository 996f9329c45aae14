"""What the demo asks of a stand-in venue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from balance_demo.books import Books
from balance_demo.plays import Play
from balance_demo.venues import DemoVenue

ANSWER_S_MAX = 5.0
"""How long an answer may take, in seconds."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """One stand-in venue that runs.

    Attributes:
        venue: its row in the table.
        control_url: base URL of its control interface.
    """

    venue: DemoVenue
    control_url: str

    async def books(self, http: aiohttp.ClientSession) -> Books:
        """Return the true balances now."""
        async with http.get(f"{self.control_url}/truth") as answer:
            answer.raise_for_status()
            return self.venue.books(await answer.json())

    async def traffic(self, http: aiohttp.ClientSession, **arguments: Any) -> None:
        """Start or stop background traffic."""
        await self._post(http, "traffic", arguments)

    async def play(self, http: aiohttp.ClientSession, play: Play) -> None:
        """Make trouble."""
        await self._post(http, "fault", {"fault": play.fault, **play.arguments})

    async def _post(
        self, http: aiohttp.ClientSession, path: str, body: Mapping[str, Any]
    ) -> None:
        async with http.post(f"{self.control_url}/{path}", json=body) as answer:
            answer.raise_for_status()


def session() -> aiohttp.ClientSession:
    """Return a client whose calls end in time."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX))
