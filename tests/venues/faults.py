"""How soon each fault of each venue is seen, and how soon all is right again.

Run as a program (``make faults``) it prints a table. Times are virtual, so they are the
same on every machine: what the network and Kafka add is not in them.
"""

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # for dialects, world

import structlog
from dialects import DIALECTS
from rich.console import Console
from rich.progress import track
from rich.table import Table
from world import World

from balance_connector.venues import VENUES
from balance_shared.testing import run_virtually
from balance_simulator.faults import FaultError

AGREED_S = 10.0
"""How long polls may take to tell of a difference once it is their turn, in seconds: two
answers have to agree on it, each with a time to settle."""

RIGHT_S = 10.0
"""Aim: live and right this long after the venue is well, in seconds."""

NOT_LIVE = ("stale", "maintenance", "degraded", "connecting", "syncing")


@dataclass(frozen=True)
class Played:
    """One way in which a fault is played.

    Attributes:
        fault: its name at the stand-ins.
        arguments: of the fault.
        lasts_s: seconds until the venue is well again.
        closes: whether the connection is closed too: the fault waits for the next.
    """

    fault: str
    arguments: dict[str, Any]
    lasts_s: float = 0.0
    closes: bool = False

    @property
    def title(self) -> str:
        """The fault and its arguments in a few words."""
        words = " ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.fault} {words}".strip()


FAULTS = (
    Played("gap", {}),
    Played("gap", {"count": 99}),
    Played("duplicate", {}),
    Played("reorder", {}),
    Played("truncate", {}),
    Played("silence", {"seconds": 3, "lose": False}, 3),
    *[
        Played("silence", {"seconds": seconds, "lose": True}, seconds)
        for seconds in (3, 26, 56, 80, 92, 116)
    ],
    Played("half_open", {}),
    Played("close", {}),
    Played("close", {"abort": True}),
    Played("restart", {}),
    Played("refuse_connections", {"seconds": 60}, 60, closes=True),
    Played("slow_snapshot", {"seconds": 5}, 5, closes=True),
    Played("slow_snapshot", {"seconds": 25}, 25, closes=True),
    Played("unanswered", {}, closes=True),
    Played("unanswered", {"count": 4}, 18, closes=True),
    Played("lapse", {}),
    Played("invalid_session", {}, closes=True),
    Played("clock_skew", {"seconds": 60}, 60, closes=True),
    Played("lockout", {"seconds": 900}, 900, closes=True),
    Played("maintenance", {"seconds": 60}, 60),
    Played("figure", {"text": "0.1234567890123456789", "to": "update"}),
    Played("figure", {"text": "NaN", "to": "update"}),
    Played("raw", {"text": "{"}),
    Played("html", {"count": 3}),
    Played("raw", {"text": "<html>", "to": "rest"}),
    Played("error", {"count": 3}),
    Played("rate_limit", {"count": 3}),
    Played("throttle", {"count": 3}),
    Played("delay", {"seconds": 30}, 30),
    Played("answer_lost", {}),
    Played("answer_late", {"seconds": 8}),
    Played("nonce", {"count": 1}),
    Played("torn", {}),
)
"""What is played."""


@dataclass(frozen=True)
class Seen:
    """What came of one fault.

    Attributes:
        seen_s: seconds from the fault to a status that is not live; None if the books
            were never wrong for long enough to need one.
        wrong: whether the books differed, or might have, from the venue's after it.
        right_s: seconds from the time when the venue was well to live and right.
    """

    seen_s: float | None
    wrong: bool
    right_s: float


async def _measure(name: str, played: Played) -> Seen | None:
    dialect, rng = DIALECTS[name], random.Random(3)
    async with World(dialect, settings={"poll_interval_s": None}).running() as world:
        await world.until_live()
        for _ in range(5):
            dialect.move(world.venue, rng)
            await asyncio.sleep(0.5)
        await world.until_right()
        await asyncio.sleep(30)
        mark, began = len(world.statuses()), world.clock.monotonic()
        try:
            world.venue.fault(played.fault, **played.arguments)
        except FaultError:
            return None
        if played.closes:
            world.venue.fault("close")
        dialect.move(world.venue, rng)
        dialect.move(world.venue, rng)
        seen_s, wrong = await _watch(world, mark, began)
        well_s = began + played.lasts_s
        await asyncio.sleep(max(0.0, well_s - world.clock.monotonic()))
        await world.until_live(300)
        await world.until_right(300)
        right_s = max(0.0, world.clock.monotonic() - max(well_s, began + (seen_s or 0)))
        return Seen(seen_s, wrong, right_s)


async def _watch(world: World, mark: int, began: float) -> tuple[float | None, bool]:
    """Wait until the fault shows in a status, or it is plain that it will not."""
    wrong = False
    while world.clock.monotonic() - began < 2 * world.dialect.silence_s + 60:
        await asyncio.sleep(0.05)
        if any(status.state in NOT_LIVE for status in world.statuses()[mark:]):
            return world.clock.monotonic() - began, True
        wrong = bool(world.wrong())
    return None, wrong  # as they are at rest


def measure(name: str, played: Played) -> Seen | None:
    """Return what comes of a fault at a venue, None where it has no meaning there."""
    random.seed(3)  # of the jitter of back-off
    return run_virtually(_measure(name, played))


def aim_s(name: str, played: Played) -> float:
    """Return how soon a fault is to be seen, in seconds.

    Two heartbeats; where nothing that the venue sends tells of it, a turn of the polls.
    """
    dialect = DIALECTS[name]
    told_s = 2 * dialect.heartbeat_s
    polled_s = VENUES[name].poll_interval_s + AGREED_S
    return max(told_s, polled_s) if played.title in dialect.untold else told_s


def _judged(found_s: float, aim_s: float) -> str:
    """Return a time, in red if it is beyond its aim."""
    text = f"{found_s:.1f} s"
    return text if found_s <= aim_s else f"[red]{text}[/red]"


def main() -> int:
    """Print the table; return how many faults were not mended."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    unmended = 0
    table = Table(
        title="From a fault to the status topic, and back to live and right",
        caption=f"right again: within {RIGHT_S:.0f} s after the venue is well\n"
        "by polls: nothing that the venue sends tells of it; their turn and "
        f"{AGREED_S:.0f} s",
    )
    table.add_column("venue")
    table.add_column("fault", min_width=18)
    for title in ("seen after", "aim", "right again"):
        table.add_column(title, justify="right")
    pairs = [(name, played) for name in DIALECTS for played in FAULTS]
    for name, played in track(pairs, description="playing", transient=True):
        limit_s = aim_s(name, played)
        by = " by polls" if played.title in DIALECTS[name].untold else ""
        aim = f"{limit_s:.0f} s{by}"
        try:
            found = measure(name, played)
        except AssertionError as error:
            unmended += 1
            table.add_row(name, played.title, "?", aim, f"[red]never: {error}[/red]")
            continue
        if found is None:
            continue
        seen_s = found.seen_s
        seen = "not needed" if seen_s is None else _judged(seen_s, limit_s)
        right = _judged(found.right_s, RIGHT_S) if found.wrong else "never wrong"
        table.add_row(name, played.title, seen, aim, right)
    Console().print(table)
    return unmended


if __name__ == "__main__":
    sys.exit(bool(main()))
