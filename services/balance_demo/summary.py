"""The verdict at the end: do the books equal the venue's truth? No I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balance_demo.board import VenueView
from balance_demo.books import Difference, Place, plain
from balance_demo.plays import Incident

KAFKA = "Kafka"
POSTGRESQL = "PostgreSQL"

EQUAL = "books equal every venue's truth"
UNEQUAL = "books do NOT equal the venues' truth"

DIFFERENCES_MAX = 10
"""How many differences are listed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found at the end.

    Attributes:
        venues: what the topics told of each.
        truth: places of the balances that the venues have.
        differences: in Kafka's latest topic and in PostgreSQL.
        rows: venue → events in PostgreSQL.
        incidents: what was played.
        watermark: up to when all balances are proven, UTC; None while one never was.
        first_balances_s: seconds from the start of the program until there were
            balances of every venue; None if there never were.
    """

    venues: tuple[VenueView, ...]
    truth: Collection[Place]
    differences: tuple[Difference, ...]
    rows: Mapping[str, int]
    incidents: tuple[Incident, ...]
    first_balances_s: float | None
    watermark: datetime | None = None

    @property
    def proven(self) -> bool:
        """Whether proof says so of every balance of every venue."""
        return all(0 < venue.balances == venue.proven for venue in self.venues)

    @property
    def equal(self) -> bool:
        """Whether every venue has balances and all are right, in both places."""
        return not any(self.wrong(venue) for venue in self.venues)

    @property
    def healed(self) -> bool:
        """Whether every venue is live and every trouble was seen to pass."""
        live = all(venue.state == "live" for venue in self.venues)
        return live and all(each.right_at for each in self.incidents)

    def wrong(self, venue: VenueView) -> str:
        """Return what is wrong with the books of a venue; empty if nothing is."""
        found = sum(each.place.venue == venue.name for each in self.differences)
        missing = venue.told - self.rows.get(venue.name, 0)
        if not self.compared(venue):
            return "no balances"
        if found:
            return f"{found} differences"
        return f"PostgreSQL lacks {missing} events" if missing else ""

    def compared(self, venue: VenueView) -> int:
        """Return how many balances a venue has in truth."""
        return sum(place.venue == venue.name for place in self.truth)


def render(summary: Summary) -> RenderableType:
    """Return the summary: a table, the differences if any, and the verdict."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("venue", "balances", "events", "late", "stored"):
        table.add_column(name, justify="left" if name == "venue" else "right")
    table.add_column("against REST")
    table.add_column("proof")
    table.add_column("truth")
    for venue in summary.venues:
        table.add_row(*_cells(summary, venue))
    parts: list[RenderableType] = [Text(), table, Text()]
    if summary.differences:
        parts += [_differences(summary.differences), Text()]
    parts += [
        Text(f"played {each.text()}", "green" if each.right_at else "red")
        for each in summary.incidents
    ]
    if summary.first_balances_s is not None:
        parts.append(
            Text(f"balances of every venue after {summary.first_balances_s:.1f} s")
        )
    return Group(*parts, proven_up_to(summary.watermark), Text(), verdict(summary))


def proven_up_to(watermark: datetime | None) -> Text:
    """Return the firm's watermark in words, in the local time."""
    if watermark is None:
        return Text("not proven as a whole", "yellow")
    return Text(f"proven up to {watermark.astimezone():%H:%M:%S}", "green")


def proof_of(venue: VenueView) -> Text:
    """Return what proof says of a venue: all is proven, or how much is not, and why."""
    worst = venue.worst
    if worst is None or venue.standing is None:
        return Text("-")
    count = venue.standing.counts[worst.verdict]
    if worst.verdict == "PROVEN":
        return Text(f"{count} PROVEN", "green")
    style = "bold red" if worst.verdict == "VIOLATED" else "yellow"
    return Text(f"{count} {worst.verdict}: {worst.reason}", style)


def verdict(summary: Summary) -> Text:
    """Return the one line that counts."""
    if summary.equal:
        return Text(EQUAL, "bold green")
    wrong = [
        f"{venue.name}: {found}"
        for venue in summary.venues
        if (found := summary.wrong(venue))
    ]
    return Text(f"{UNEQUAL}: {'; '.join(wrong)}", "bold red")


def _cells(summary: Summary, venue: VenueView) -> list[Text]:
    wrong = summary.wrong(venue)
    return [
        Text(venue.name),
        Text(str(summary.compared(venue))),
        Text(str(venue.told)),
        Text(str(venue.late)),
        Text(str(summary.rows.get(venue.name, 0))),
        compared_with_rest(venue),
        proof_of(venue),
        Text(wrong or "equal", "red" if wrong else "green"),
    ]


def compared_with_rest(venue: VenueView) -> Text:
    """Return the last verdict of stream and REST, and how many there were of each."""
    told = ", ".join(f"{count} {word}" for word, count in venue.verdicts.most_common())
    return Text(told or "-", "red" if venue.verdict == "inconsistent" else "")


def _differences(found: tuple[Difference, ...]) -> Table:
    table = Table("where", "balance", title="Differences", title_justify="left")
    table.add_column("venue's truth", justify="right")
    table.add_column("found", justify="right")
    for store, place, truth, other in found[:DIFFERENCES_MAX]:
        table.add_row(store, str(place), _figure(truth), _figure(other))
    if len(found) > DIFFERENCES_MAX:
        table.add_row("", f"... and {len(found) - DIFFERENCES_MAX} more", "", "")
    return table


def _figure(amount: Decimal | None) -> str:
    return "none" if amount is None else plain(amount)
