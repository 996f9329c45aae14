"""What one sees: it fits, and no figure is cut off."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from balance_demo import screen
from balance_demo.board import Board
from balance_demo.plays import Incident, close, gap
from balance_demo.screen import Counts, Scene

LONGEST = "-99999999999999999999.999999999999999999"
URLS = {
    f"connector {venue}": f"http://127.0.0.1:4000{number}/metrics"
    for number, venue in enumerate(("kraken", "bitfinex", "zerohash", "ndax"))
}


@pytest.fixture
def scene(event, status, at):
    """Give a moment with many balances."""
    board = Board()
    for number in range(60):
        board.take_event(event(str(number), asset=f"A{number:02d}", seconds=number))
    board.take_event(event(LONGEST, asset="LONG", seconds=60))
    board.take_status(status("stale", 55, reason="sequence 53 came where 52 was due"))
    return Scene(
        now=at(61),
        elapsed_s=61,
        duration_s=90,
        rows=board.rows(),
        feeds=board.feeds(),
        counts=Counts(events=12345, gaps=1, resyncs=2, rows=12345, delay_ms=3.2),
        incidents=[Incident(gap(1), "kraken", at(55))] * 4,
        next_play=close(70),
        urls=URLS,
    )


def drawn(scene: Scene, width: int, height: int) -> list[str]:
    """Return the lines of a screen."""
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(screen.render(scene, width, height))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 45), (200, 60)])
def test_the_screen_fits_and_says_what_it_hides(scene, width, height):
    """Never more lines or columns than there are, and the newest row is there."""
    lines = drawn(scene, width, height)
    assert (True, True) == (len(lines) <= height, max(map(len, lines)) <= width)
    shown = [line for line in lines if line.startswith("kraken ")]
    assert f"... and {61 - len(shown)} more, changed before these" in lines
    assert any(LONGEST in line for line in shown)


def test_the_screen_tells_state_trouble_and_what_is_next(scene):
    """The reason of a state, the plays, the counts and the addresses are there."""
    text = "\n".join(drawn(scene, 140, 45))
    for part in (
        "kraken/demo  stale for 6s  sequence 53 came where 52 was due",
        "events 12345  gaps 1  resyncs 2  dead letters 0  PostgreSQL rows 12345",
        "delay 3 ms",
        "gap at kraken: played",
        "next   close in 9s; at 01:30 the books are compared",
        "http://127.0.0.1:40003/metrics",
    ):
        assert part in text


def test_few_balances_hide_nothing(scene, event):
    """Where all rows fit, none is said to be hidden."""
    board = Board()
    board.take_event(event("1"))
    small = Scene(scene.now, 1, None, board.rows(), [], Counts(), [])
    text = "\n".join(drawn(small, 80, 24))
    assert ("more" not in text, "Ctrl-C: the books are compared" in text) == (
        True,
        True,
    )


def test_the_line_tells_the_same_in_short(scene):
    """One line for logs."""
    assert screen.line(scene).startswith("61 balances; kraken stale; events 12345")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "58s"), (-60, "2m"), (-10_000, "2h"), (70, "0s")]
)
def test_ages_are_short(at, seconds, text):
    """Seconds, minutes, hours; the future is now."""
    assert text == screen.age(at(61), at(seconds))


def test_what_never_was_has_no_age(at):
    """A dash, not a number."""
    assert "-" == screen.age(at(0), None)


def test_changes_have_a_sign(event, at):
    """A rise has a plus."""
    board = Board()
    board.take_event(event("1", kind="snapshot"))
    board.take_event(event("1.5", seconds=1))
    (row,) = board.rows()
    table = screen.balances([row], at(2), 140)
    assert Decimal("0.5") == row.change
    assert "+0.5" in [str(cell) for column in table.columns for cell in column.cells]
