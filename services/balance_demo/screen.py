"""What one sees while the demo runs. No I/O: a scene in, something to print out."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from textwrap import wrap

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balance_demo.board import Holding, VenueView
from balance_demo.books import plain
from balance_demo.plays import Incident, Play
from balance_demo.summary import compared_with_rest, proof_of, proven_up_to

WIDE = 120
"""From this many columns on each venue's part is shown."""

TALL = 36
"""From this many lines on every address is shown, not only that of the metrics."""

INCIDENTS_MAX = 2
"""How many plays are shown at a time."""

PART_MIN = 8
"""Least columns for a venue's part of a holding."""

_VENUE_COLUMNS = {
    "venue": 8,
    "state": 11,
    "for": 3,
    "confirmed": 9,
    "events": 6,
    "late": 4,
    "proven": 7,
}
_MINUTE_S, _HOUR_S = 60, 3600
_STYLES = {
    "live": "green",
    "connecting": "yellow",
    "syncing": "yellow",
    "degraded": "yellow",
    "stale": "bold red",
    "maintenance": "bold magenta",
    "refused": "bold red",
    "stopped": "red",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of the demo.

    Attributes:
        now: the time, UTC.
        elapsed_s: seconds since the show began.
        duration_s: how long it lasts, or None without an end.
        venues: every venue.
        holdings: every asset, those that matter most first.
        dead_letters: frames that could not be read.
        rows: events stored in PostgreSQL.
        incidents: what was played, oldest first.
        next_play: when, in seconds since the show began, and what; or None.
        urls: name → address to look at.
        watermark: up to when all balances are proven, UTC; None while one never was.
    """

    now: datetime
    elapsed_s: float
    duration_s: float | None
    venues: list[VenueView]
    holdings: list[Holding]
    dead_letters: int = 0
    rows: int = 0
    incidents: list[Incident] = field(default_factory=list)
    next_play: tuple[float, Play] | None = None
    urls: dict[str, str] = field(default_factory=dict)
    watermark: datetime | None = None


def render(scene: Scene, width: int, height: int) -> RenderableType:
    """Return the whole screen; it fits where 80 columns and 24 lines are.

    Args:
        scene: what to show.
        width: columns of the terminal.
        height: lines of the terminal.
    """
    foot = _foot(scene, width, height)
    around = len(scene.venues) + len(foot) + 5  # title, two table heads, two blanks
    room = max(0, height - around)
    hidden = len(scene.holdings) - room
    more = []
    if hidden > 0:
        more = [Text(f"... and {hidden + 1} more assets, at fewer venues", "dim")]
        scene = replace(scene, holdings=scene.holdings[: max(0, room - 1)])
    table = holdings(scene, width)
    return Group(
        _title(scene), _venues(scene, width), Text(), table, *more, Text(), *foot
    )


def line(scene: Scene) -> str:
    """Return the state in one line, for logs."""
    states = ", ".join(f"{one.name} {one.state or '-'}" for one in scene.venues)
    proven = proven_up_to(scene.watermark).plain
    return f"{_balances(scene)} balances; {states}; {_told(scene)}; {proven}"


def holdings(scene: Scene, width: int) -> Table:
    """Return the table of assets; a total is never cut off.

    Where there is room, each venue's part stands beside it. A part is marked with "?"
    while the venue is not live, and ends in "…" where it has more digits than room.
    """
    table = Table(box=None, padding=(0, 2 if width >= WIDE else 1, 0, 0))
    table.header_style = "dim"
    table.add_column("asset", no_wrap=True, max_width=12)
    table.add_column("assets less liabilities", no_wrap=True, justify="right")
    table.add_column("claims", no_wrap=True, justify="right")
    table.add_column("changed", no_wrap=True, justify="right")
    table.add_column("confirmed", no_wrap=True, justify="right")
    room = _room_for_parts(scene, width)
    for venue in scene.venues if room >= PART_MIN else ():
        table.add_column(venue.name, no_wrap=True, justify="right")
    if room < PART_MIN:
        table.add_column("not live", no_wrap=True)
    for one in scene.holdings:
        table.add_row(*_cells(scene, one, room))
    return table


def _room_for_parts(scene: Scene, width: int) -> int:
    """Return how many columns there are for each venue's part; 0 on a narrow screen."""
    if width < WIDE or not scene.venues:
        return 0
    figures = [(plain(one.total), _claims(one)) for one in scene.holdings]
    total = max([23, *(len(text) for text, _ in figures)])
    claims = max([6, *(len(text) for _, text in figures)])
    return (width - 12 - total - claims - 16 - 5 * 2) // len(scene.venues) - 2


def _cells(scene: Scene, one: Holding, room: int) -> list[Text]:
    style = "bold" if not one.doubtful else "bold yellow"
    cells = [
        Text(one.asset),
        Text(plain(one.total) + ("?" if one.doubtful else " "), style),
        Text(_claims(one)),
        Text(age(scene.now, one.changed_at)),
        Text(age(scene.now, one.confirmed_at)),
    ]
    if room < PART_MIN:
        return [*cells, Text(" ".join(one.doubtful), "yellow")]
    for venue in scene.venues:
        text = _part(one.net.get(venue.name), room - 1)
        doubtful = venue.name in one.doubtful
        style = _STYLES.get(venue.state, "") if doubtful else ""
        cells.append(Text(text + ("?" if doubtful else " "), style))
    return cells


def _claims(one: Holding) -> str:
    return plain(one.claims) if one.claims else ""


def _part(amount: Decimal | None, room: int) -> str:
    text = "" if amount is None else plain(amount)
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _venues(scene: Scene, width: int) -> Table:
    """Return the table of venues: how each is, what it told, and what is proven.

    Where there is little room, when it was confirmed is told with the assets only.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    shown = {
        name: columns
        for name, columns in _VENUE_COLUMNS.items()
        if width >= WIDE or name != "confirmed"
    }
    for name, columns in shown.items():
        right = name in {"events", "late", "proven"}
        table.add_column(name, width=columns, justify="right" if right else "left")
    table.add_column("against REST, or why", no_wrap=True)
    room = width - sum(2 + columns for columns in shown.values()) - 2
    for one in scene.venues:
        told = _why(one)
        told.truncate(room, overflow="ellipsis")
        cells = _venue_cells(scene, one)
        table.add_row(*(cells[name] for name in shown), told)
    return table


def _venue_cells(scene: Scene, one: VenueView) -> dict[str, Text]:
    """Return column → text."""
    status = one.status
    whole = 0 < one.balances == one.proven
    violated = one.worst is not None and one.worst.verdict == "VIOLATED"
    style = "green" if whole else "bold red" if violated else "yellow"
    return {
        "venue": Text(one.name),
        "state": state(one.state),
        "for": Text(age(scene.now, status.since if status else None)),
        "confirmed": Text(age(scene.now, status.confirmed_at if status else None)),
        "events": Text(str(one.told)),
        "late": Text(str(one.late)),
        "proven": Text(f"{one.proven}/{one.balances}", style),
    }


def _why(one: VenueView) -> Text:
    """Return why a venue is not live, else what is not proven, else what REST says."""
    if one.state != "live":
        reason = one.status.reason if one.status else ""
        return Text(reason, _STYLES.get(one.state, ""))
    if one.worst is not None and one.worst.verdict != "PROVEN":
        return proof_of(one)
    return compared_with_rest(one)


def age(now: datetime, then: datetime | None) -> str:
    """Return how long ago something was: ``4s``, ``12m``, ``3h``; ``-`` for never."""
    if then is None:
        return "-"
    seconds = max(0, int((now - then).total_seconds()))
    if seconds < _MINUTE_S:
        return f"{seconds}s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S}m"
    return f"{seconds // _HOUR_S}h"


def state(name: str) -> Text:
    """Return the state of a feed in its colour."""
    return Text(name, _STYLES.get(name, ""))


def _title(scene: Scene) -> Text:
    clock = _clock(scene.elapsed_s)
    if scene.duration_s is not None:
        clock += f" of {_clock(scene.duration_s)}"
    return Text.assemble(
        ("balance bus", "bold"),
        f"  demo  {clock}  {_balances(scene)} balances  ",
        proven_up_to(scene.watermark),
    )


def _foot(scene: Scene, width: int, height: int) -> list[Text]:
    lines = [
        Text(f"played {each.text()}", "green" if each.right_at else "yellow")
        for each in scene.incidents[-INCIDENTS_MAX:]
    ]
    lines += [Text(_next(scene)), Text(_told(scene), "bold")]
    lines += [
        Text(f"{name:<18} {url}", "dim")
        for name, url in scene.urls.items()
        if height >= TALL or name == "metrics"
    ]
    return [
        Text(part, told.style)
        for told in lines
        for part in wrap(told.plain, width, subsequent_indent="  ")
    ]


def _next(scene: Scene) -> str:
    """Return what is to come: the next trouble, then the verdict."""
    end = "Ctrl-C" if scene.duration_s is None else _clock(scene.duration_s)
    end = f"verdict on the books at {end}"
    if scene.next_play is None:
        return f"next   {end}"
    at_s, play = scene.next_play
    left_s = max(0, int(at_s - scene.elapsed_s))
    return f"next   {play.words} at {play.venue} in {left_s}s, {end}"


def _balances(scene: Scene) -> int:
    return sum(one.balances for one in scene.venues)


def _told(scene: Scene) -> str:
    """Return the counts in one line."""
    told = sum(one.told for one in scene.venues)
    late = sum(one.late for one in scene.venues)
    return (
        f"events {told}, {late} of them late; PostgreSQL rows {scene.rows}; "
        f"dead letters {scene.dead_letters}"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), _MINUTE_S)
    return f"{minutes:02d}:{rest:02d}"
