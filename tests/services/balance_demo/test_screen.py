"""What one sees: it fits, and no total is cut off."""

import io

import pytest
from rich.console import Console

from balance_demo import screen
from balance_demo.board import Board
from balance_demo.plays import Incident, Play
from balance_demo.screen import Scene
from balance_schemas.topics import EVENTS, LATEST, PROOFS, STATUS

LONGEST = "-99999999999999999999.999999999999999999"
VENUES = ("kraken", "bitfinex", "zerohash", "ndax")
URLS = {
    f"connector {venue}": f"http://127.0.0.1:4000{number}/metrics"
    for number, venue in enumerate(VENUES)
}
GAP = Play("kraken", "gap", "gap")


@pytest.fixture
def scene(event, status, proof, at):
    """Give a moment with many balances."""
    board = Board(VENUES)
    for venue in VENUES:
        board.take(STATUS, status("live", 1, venue=venue, confirmed_at=at(30)))
        for number in range(30):
            told = event(f"{number}.25", asset=f"A{number:02d}", venue=venue)
            board.take(LATEST, told)
            board.take(EVENTS, told)
            board.take(PROOFS, proof("PROVEN", asset=told.asset, venue=venue))
    board.take(LATEST, event(LONGEST, asset="A00", seconds=60))
    unproven = proof("UNPROVEN", asset="A07", venue="zerohash", reason="told once")
    board.take(PROOFS, unproven)
    reason = "sequence 53 came where 52 was due"
    board.take(STATUS, status("stale", 55, reason=reason, confirmed_at=at(1)))
    return Scene(
        now=at(61),
        elapsed_s=61,
        duration_s=90,
        venues=board.venues(),
        holdings=board.holdings(),
        rows=120,
        incidents=[Incident(GAP, at(55))] * 4,
        next_play=(70, Play("bitfinex", "maintenance", "outage")),
        urls=URLS,
        watermark=at(42).replace(tzinfo=None).astimezone(),
    )


def drawn(scene: Scene, width: int, height: int) -> list[str]:
    """Return the lines of a screen."""
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(screen.render(scene, width, height))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 45), (200, 60)])
def test_the_screen_fits_and_says_what_it_hides(scene, width, height):
    """Never more lines or columns than there are, and every total is whole."""
    lines = drawn(scene, width, height)
    assert (True, True) == (len(lines) <= height, max(map(len, lines)) <= width)
    shown = [line for line in lines if line.startswith("A")]
    hidden = 30 - len(shown)
    more = f"... and {hidden} more assets, at fewer venues"
    assert (hidden > 0) == (more in lines)
    assert "-99999999999999999999.249999999999999999?" in shown[0]


def test_the_screen_tells_state_trouble_and_what_is_next(scene):
    """The reason of a state, the plays, the counts and the addresses are there."""
    text = "\n".join(drawn(scene, 140, 45))
    for part in (
        "proven up to 12:00:42",
        "kraken    stale        6s   1m             30     0    30/30  sequence 53 came",
        "zerohash  live         1m   31s             0     0    29/30  1 UNPROVEN: told",
        "ndax      live         1m   31s             0     0    30/30  -",
        "events 30, 0 of them late; PostgreSQL rows 120; dead letters 0",
        "gap at kraken: played",
        "next   outage at bitfinex in 9s, verdict on the books at 01:30",
        "http://127.0.0.1:40003/metrics",
    ):
        assert part in text


def test_a_narrow_screen_names_who_is_not_live(scene):
    """Beside each asset, as there is no room for parts; a long reason is cut."""
    lines = drawn(scene, 80, 24)
    assert lines[2].endswith("sequence 53 came where 52 …")
    assert next(line for line in lines if line.startswith("A01")).endswith("kraken")


def test_parts_are_marked_and_cut_visibly(scene):
    """A part of a venue that is not live has a mark, a long one an ellipsis."""
    lines = drawn(scene, 140, 45)
    first, second = (line for line in lines if line.startswith(("A00", "A01")))
    assert ("…?" in first, second.count("1.25")) == (True, 4)
    assert "1.25?" in second


def test_few_balances_hide_nothing(scene, event):
    """Where all rows fit, none is said to be hidden."""
    board = Board(["kraken"])
    board.take(LATEST, event("1"))
    small = Scene(scene.now, 1, None, board.venues(), board.holdings())
    text = "\n".join(drawn(small, 80, 24))
    assert (False, True) == ("more" in text, "on the books at Ctrl-C" in text)


def test_the_line_tells_the_same_in_short(scene):
    """One line for logs."""
    line = screen.line(scene)
    assert line.startswith(
        "120 balances; kraken stale, bitfinex live, zerohash live, ndax live; events"
    )
    assert line.endswith("; proven up to 12:00:42")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "58s"), (-60, "2m"), (-10_000, "2h"), (70, "0s")]
)
def test_ages_are_short(at, seconds, text):
    """Seconds, minutes, hours; the future is now."""
    assert text == screen.age(at(61), at(seconds))


def test_what_never_was_has_no_age(at):
    """A dash, not a number."""
    assert "-" == screen.age(at(0), None)
