"""The verdict at the end: do the books equal the venue's truth? No I/O."""

from dataclasses import dataclass
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balance_demo.books import Difference, plain
from balance_demo.plays import Incident

EQUAL = "books equal the venue's truth"
UNEQUAL = "books do NOT equal the venue's truth"

DIFFERENCES_MAX = 10
"""How many differences are listed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found at the end.

    Attributes:
        compared: balances that the venues have.
        differences: in Kafka's latest topic and in PostgreSQL.
        events: events on Kafka.
        repeated: of these, how many have the id of an earlier one.
        rows: events in PostgreSQL.
        gaps: gaps that the connectors saw.
        incidents: what was played.
        first_balance_s: seconds from the start of the program to the first balance;
            None if there never was one.
    """

    compared: int
    differences: tuple[Difference, ...]
    events: int
    repeated: int
    rows: int
    gaps: int
    incidents: tuple[Incident, ...]
    first_balance_s: float | None

    @property
    def missing_rows(self) -> int:
        """Events on Kafka that are not in PostgreSQL; negative if it has too many."""
        return self.events - self.repeated - self.rows

    @property
    def equal(self) -> bool:
        """Whether there were balances and all are right, in both places."""
        return self.compared > 0 and not self.differences and not self.missing_rows


def render(summary: Summary) -> RenderableType:
    """Return the summary: a table, the differences if any, and the verdict."""
    table = Table(title="Summary", title_style="bold", title_justify="left")
    table.add_column("what")
    table.add_column("found", justify="right")
    for what, found, good in _lines(summary):
        table.add_row(what, Text(found, "green" if good else "red"))
    parts: list[RenderableType] = [Text(), table]
    if summary.differences:
        parts += [Text(), _differences(summary.differences)]
    return Group(*parts, Text(), verdict(summary))


def verdict(summary: Summary) -> Text:
    """Return the one line that counts."""
    if summary.equal:
        return Text(EQUAL, "bold green")
    return Text(f"{UNEQUAL}: {_reason(summary)}", "bold red")


def _reason(summary: Summary) -> str:
    if summary.differences:
        return f"{len(summary.differences)} differences"
    if summary.missing_rows:
        return f"PostgreSQL lacks {summary.missing_rows} events"
    return "there are no balances"


def _lines(summary: Summary) -> list[tuple[str, str, bool]]:
    def wrong(place: str) -> int:
        return sum(found.place == place for found in summary.differences)

    healed = sum(each.live_at is not None for each in summary.incidents)
    gaps = sum(each.play.fault == "gap" for each in summary.incidents)
    first_s = summary.first_balance_s
    first = "-" if first_s is None else f"{first_s:.1f} s"
    return [
        ("balances compared", str(summary.compared), summary.compared > 0),
        *(
            (f"differences, {place}", str(wrong(place)), not wrong(place))
            for place in (KAFKA, POSTGRESQL)
        ),
        ("events on Kafka", str(summary.events), True),
        ("event ids told twice", str(summary.repeated), not summary.repeated),
        ("rows in PostgreSQL", str(summary.rows), not summary.missing_rows),
        ("gaps played, seen", f"{gaps}, {summary.gaps}", gaps <= summary.gaps),
        (
            "troubles played, healed",
            f"{len(summary.incidents)}, {healed}",
            healed == len(summary.incidents),
        ),
        ("first balance after", first, first_s is not None),
    ]


KAFKA = "Kafka"
POSTGRESQL = "PostgreSQL"


def _differences(found: tuple[Difference, ...]) -> Table:
    table = Table("where", "balance", title="Differences", title_justify="left")
    table.add_column("venue's truth", justify="right")
    table.add_column("found", justify="right")
    for place, key, truth, other in found[:DIFFERENCES_MAX]:
        table.add_row(place, key, _figure(truth), _figure(other))
    if len(found) > DIFFERENCES_MAX:
        table.add_row("", f"... and {len(found) - DIFFERENCES_MAX} more", "", "")
    return table


def _figure(amount: Decimal | None) -> str:
    return "none" if amount is None else plain(amount)
