"""Kills at random points under traffic: what is killed, when, and for how long.

Run as a program (``make crashes ROUNDS=50``) it plays many rounds on a firm of all
venues, shows each, and compares the venues, the bus and PostgreSQL at the end.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))  # for firm, processes

from firm import READY_S, Firm, running
from processes import until
from rich.console import Console
from rich.table import Table

from balance_stack.running import running_stack

PARTS = ("postgres", "kafka-1", "registry")
"""What is no service of ours."""

RATE = 40.0
"""Updates a second at each venue."""


class Round(NamedTuple):
    """One kill.

    Attributes:
        victim: a part of the stack, ``storage``, or the venue whose connector it is.
        after_s: how long traffic runs before.
        down_s: how long the victim stays away.
    """

    victim: str
    after_s: float
    down_s: float


def rounds(seed: int, count: int, venues: tuple[str, ...]) -> Iterator[Round]:
    """Yield rounds; each of storage, database and broker is as likely as all venues."""
    chance = random.Random(seed)
    victims = ("storage", "storage", "postgres", "kafka-1", "venue")
    for _ in range(count):
        victim = chance.choice(victims)
        if victim == "venue":
            victim = chance.choice((*venues, "registry"))
        yield Round(victim, chance.uniform(0, 2), chance.uniform(0, 2))


def play(stack: Any, firm: Firm, one: Round) -> float:
    """Kill and start again; return the seconds until all services were ready."""
    time.sleep(one.after_s)
    part = one.victim in PARTS
    stack.kill(one.victim) if part else firm.services[one.victim].kill()
    time.sleep(one.down_s)
    started = time.monotonic()
    stack.start(one.victim) if part else firm.services[one.victim].start()
    until(firm.ready, f"all services ready after {one.victim} was killed", READY_S)
    return time.monotonic() - started


def main(count: int, seed: int) -> None:
    """Play rounds and print what happened."""
    console = Console()
    venues = ("kraken", "bitfinex", "zerohash", "ndax")
    with (
        tempfile.TemporaryDirectory(prefix="crashes-") as folder,
        running_stack(Path(folder) / "stack") as stack,
        running(
            lambda: Firm(stack, Path(folder), f"crashes{seed}", *venues), RATE
        ) as firm,
    ):
        table = Table("round", "killed", "after", "away", "all ready again after")
        for number, one in enumerate(rounds(seed, count, venues), 1):
            took_s = play(stack, firm, one)
            line = (
                f"{number} of {count}",
                one.victim,
                f"{one.after_s:.1f} s",
                f"{one.down_s:.1f} s",
                f"{took_s:.1f} s",
            )
            table.add_row(*line)
            console.print("  ".join(line))
        firm.settle()
        firm.check()
        ((events,),) = firm.select(
            "SELECT count(*) FROM balancebus.events WHERE account = %s"
        )
    console.print(table)
    console.print(
        f"{count} kills, seed {seed}: {events:,} events; venues, bus and PostgreSQL "
        "are equal, nothing is lost, nothing is there twice"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
