"""Lines where there is no terminal."""

import io

from rich.console import Console

from balance_demo.board import Board
from balance_demo.output import Lines, Screen, is_live, output
from balance_demo.screen import Scene
from balance_schemas.topics import LATEST


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_file_gets_lines_and_a_terminal_a_screen():
    """Also a terminal that cannot be drawn on gets lines."""
    pipe = Console(file=io.StringIO())
    screen = Console(file=Terminal(), _environ={"TERM": "xterm"})
    dumb = Console(file=Terminal(), _environ={"TERM": "dumb"})
    assert [False, True, False] == [is_live(one) for one in (pipe, screen, dumb)]
    assert (Lines, Screen) == (type(output(pipe)), type(output(screen)))


def test_lines_hold_no_control_characters(event, at):
    """What happens, and all holdings at the end, as plain text."""
    file, board = io.StringIO(), Board(["kraken"])
    board.take(LATEST, event("1.5"))
    scene = Scene(at(1), 1, 12, board.venues(), board.holdings())
    with Lines(Console(file=file, width=160)) as lines:
        lines.show(scene)
        lines.tell("12:00:03 gap at kraken: played")
    text = file.getvalue()
    assert text.startswith("12:00:03 gap at kraken: played\nasset")
    assert (True, True) == ("1.5" in text, text.replace("\n", "").isprintable())
