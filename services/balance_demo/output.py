"""Where the scenes go: a live screen on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from balance_demo import screen
from balance_demo.screen import Scene

LINE_EVERY_S = 5.0
"""Seconds between two lines where there is no terminal."""

FIRST_LINE_S = 1.0
"""Seconds until the first of them, when there is something to tell."""

LOG_COLUMNS = 200
"""Width of tables where there is no terminal: figures are for copying."""


class Output(Protocol):
    """Takes scenes while it is open."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, scene: Scene) -> None:
        """Show a moment."""

    def tell(self, text: str) -> None:
        """Say what happened; a screen shows it anyway."""


class Screen:
    """A terminal, drawn anew with each scene; the last one stays."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._last: Scene | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go back to the normal screen and leave the last scene there."""
        self._live.stop()
        if self._last is not None:
            size = self._console.size
            self._console.print(screen.render(self._last, size.width, size.height))

    def show(self, scene: Scene) -> None:
        """Draw a moment."""
        self._last = scene
        size = self._console.size
        self._live.update(screen.render(scene, size.width, size.height), refresh=True)

    def tell(self, text: str) -> None:
        """Nothing: the screen shows it."""


class Lines:
    """A log: one line now and then, no control characters, all holdings at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = time.monotonic() + FIRST_LINE_S
        self._last: Scene | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Print the last holdings."""
        if self._last is not None:
            columns = self._console.width
            self._console.print(screen.holdings(self._last, columns))

    def show(self, scene: Scene) -> None:
        """Print a line if it is time."""
        self._last = scene
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + LINE_EVERY_S
            self.tell(f"{scene.now.astimezone():%H:%M:%S} {screen.line(scene)}")

    def tell(self, text: str) -> None:
        """Print what happened."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def console() -> Console:
    """Return the console of standard output."""
    plain = Console()
    return plain if is_live(plain) else Console(width=LOG_COLUMNS, force_terminal=False)


def is_live(where: Console) -> bool:
    """Say whether a console is a terminal that can be drawn on."""
    return where.file.isatty() and not where.is_dumb_terminal


def output(where: Console) -> Output:
    """Return what fits a console."""
    return Screen(where) if is_live(where) else Lines(where)
