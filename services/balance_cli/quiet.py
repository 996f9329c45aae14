"""Commands that answer a question print the answer; else a bar, or one line."""

import logging

import structlog
from rich.console import Console
from rich.progress import Progress


def quiet() -> None:
    """Keep what clients log while they try again off the answer and off the screen."""
    logging.disable(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )


def progress() -> Progress:
    """Return bars on stderr that go when they are done; none where nobody watches."""
    screen = Console(stderr=True)
    return Progress(console=screen, transient=True, disable=not screen.is_terminal)
