"""Tables are printed whole, on a terminal and elsewhere."""

from rich.console import Console
from rich.table import Table

_WIDTH_MAX = 10_000
"""Widest table, in characters."""


def show(table: Table, *, markup: bool = False) -> None:
    """Print a table as wide as it is: a name or a figure that is cut is a wrong one.

    Args:
        table: what to print.
        markup: its cells say how they look; what others have said in them is escaped.
    """
    wide = Console(width=_WIDTH_MAX, highlight=False, markup=markup)
    wide.width = wide.measure(table).maximum
    wide.print(table, soft_wrap=True)
