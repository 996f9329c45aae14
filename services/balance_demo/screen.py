"""What one sees while the demo runs. No I/O: a scene in, something to print out."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from textwrap import wrap
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balance_demo.board import Row, newest
from balance_demo.books import plain
from balance_demo.plays import Incident, Play
from balance_schemas.records import ConnectorStatus

WIDE = 100
"""From this many columns on nothing is abbreviated."""

INCIDENTS_MAX = 3
"""How many plays are shown at a time."""

TALL = 36
"""From this many lines on every address has its own."""

_FRESH = timedelta(seconds=1.5)
_MINUTE_S, _HOUR_S = 60, 3600
_STYLES = {
    "live": "green",
    "connecting": "yellow",
    "syncing": "yellow",
    "degraded": "yellow",
    "stale": "bold red",
    "maintenance": "magenta",
    "refused": "bold red",
    "stopped": "red",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted so far, over all venues.

    Attributes:
        events: events that Kafka has acknowledged.
        gaps: gaps seen in a venue's numbering.
        resyncs: connections given up for a new picture.
        dead_letters: frames that could not be read.
        rows: events stored in PostgreSQL; None before the tables are there.
        delay_ms: from the venue's time of an update until Kafka had it, milliseconds,
            on average; None before there was one.
    """

    events: int = 0
    gaps: int = 0
    resyncs: int = 0
    dead_letters: int = 0
    rows: int | None = None
    delay_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of the demo.

    Attributes:
        now: the time, UTC.
        elapsed_s: seconds since the show began.
        duration_s: how long it lasts, or None without an end.
        rows: every balance.
        feeds: the feeds that they come from.
        counts: what was counted.
        incidents: what was played, oldest first.
        next_play: what will be played next, or None.
        urls: name → address to look at.
    """

    now: datetime
    elapsed_s: float
    duration_s: float | None
    rows: list[Row]
    feeds: list[ConnectorStatus]
    counts: Counts
    incidents: list[Incident]
    next_play: Play | None = None
    urls: dict[str, str] = field(default_factory=dict)


def render(scene: Scene, width: int, height: int) -> RenderableType:
    """Return the whole screen; it fits where 80 columns and 24 lines are.

    Args:
        scene: what to show.
        width: columns of the terminal.
        height: lines of the terminal.
    """
    head, foot = [*_head(scene), Text()], [Text(), *_foot(scene, width, height)]
    room = height - len(head) - len(foot) - 1  # the table's own head
    rows = scene.rows
    if len(rows) > room:
        rows = newest(rows, room - 1)
    table = balances(rows, scene.now, width)
    hidden = len(scene.rows) - len(rows)
    more = [Text(f"... and {hidden} more, changed before these", "dim")]
    return Group(*head, table, *(more if hidden else []), *foot)


def line(scene: Scene) -> str:
    """Return the state in one line, for logs."""
    feeds = ", ".join(f"{feed.venue} {feed.state}" for feed in scene.feeds)
    return f"{len(scene.rows)} balances; {feeds or 'no feed'}; {_told(scene.counts)}"


def balances(rows: list[Row], now: datetime, width: int) -> Table:
    """Return the table of balances, one line each, never cutting off a figure."""
    wide = width >= WIDE
    table = Table(box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="dim")
    for name in ("venue", "account", "wallet", "asset") if wide else _NARROW:
        table.add_column(name, no_wrap=True, max_width=24 if wide else 14)
    table.add_column("balance", no_wrap=True, justify="right")
    if wide:
        table.add_column("last change", no_wrap=True, justify="right")
    for name in ("changed", "confirmed") if wide else ("chg", "conf"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("state", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row, now, wide=wide))
    return table


_NARROW = ("venue", "wallet", "asset")


def _cells(row: Row, now: datetime, *, wide: bool) -> list[Text]:
    fresh = row.change is not None and now - row.changed_at < _FRESH
    names = (row.venue, row.account, row.wallet, row.asset)
    cells = [Text(name) for name in (names if wide else (names[0], *names[2:]))]
    cells.append(Text(plain(row.balance), "bold" if fresh else ""))
    if wide:
        cells.append(_change(row, fresh=fresh))
    cells += [Text(age(now, row.changed_at)), Text(age(now, row.confirmed_at))]
    return [*cells, state(row.state)]


def _change(row: Row, *, fresh: bool) -> Text:
    if row.change is None:
        return Text()
    sign = "+" if row.change > 0 else ""
    style = "green" if row.change > 0 else "red"
    return Text(f"{sign}{plain(row.change)}", f"bold {style}" if fresh else "dim")


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


def _head(scene: Scene) -> list[Text]:
    clock = _clock(scene.elapsed_s)
    if scene.duration_s is not None:
        clock += f" of {_clock(scene.duration_s)}"
    lines = [Text.assemble(("balance bus", "bold"), f"  demo  {clock}")]
    for feed in scene.feeds:
        told = Text.assemble(f"{feed.venue}/{feed.account}  ", state(feed.state))
        told.append(f" for {age(scene.now, feed.since)}  {feed.reason}")
        lines.append(told)
    for told in lines:
        told.no_wrap, told.overflow = True, "ellipsis"
    return lines


def _foot(scene: Scene, width: int, height: int) -> list[Text]:
    lines = [Text(_told(scene.counts), "bold")]
    lines += [
        Text(f"played {each.text()}", "green" if each.live_at else "yellow")
        for each in scene.incidents[-INCIDENTS_MAX:]
    ]
    lines.append(Text(_next(scene)))
    urls = scene.urls.items()
    addresses = [f"{name:<18} {url}" for name, url in urls]
    lines += [
        Text(text, "dim")
        for text in (addresses if height >= TALL else _by_page(scene.urls))
    ]
    return [
        Text(part, told.style)
        for told in lines
        for part in wrap(told.plain, width, subsequent_indent="  ")
    ]


def _next(scene: Scene) -> str:
    """Return what is to come: the next trouble, then the comparison."""
    compared = "the books are compared with the venue's truth"
    end = f"Ctrl-C: {compared}"
    if scene.duration_s is not None:
        end = f"at {_clock(scene.duration_s)} {compared}"
    if scene.next_play is None:
        return f"next   {end}"
    left_s = max(0, int(scene.next_play.at_s - scene.elapsed_s))
    return f"next   {scene.next_play.words} in {left_s}s; {end}"


def _by_page(urls: dict[str, str]) -> list[str]:
    """Return a line for each page, with the ports where it is served."""
    pages: dict[str, list[str]] = {}
    for name, url in urls.items():
        parts = urlsplit(url)
        page = f"{parts.scheme}://{parts.hostname}:PORT{parts.path}"
        pages.setdefault(page, []).append(f"{name} {parts.port}")
    return [f"{page}: {', '.join(names)}" for page, names in pages.items()]


def _told(counts: Counts) -> str:
    """Return the counts in one line."""
    rows = "-" if counts.rows is None else counts.rows
    told = (
        f"events {counts.events}  gaps {counts.gaps}  resyncs {counts.resyncs}  "
        f"dead letters {counts.dead_letters}  PostgreSQL rows {rows}"
    )
    if counts.delay_ms is not None:
        told += f"  delay {counts.delay_ms:.0f} ms"
    return told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), _MINUTE_S)
    return f"{minutes:02d}:{rest:02d}"
