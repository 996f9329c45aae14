"""The command ``balancebus demo``."""

from collections.abc import Iterator
from typing import Annotated

import aiohttp
import psycopg
import typer

from balance_demo.output import console
from balance_demo.show import Plan
from balance_demo.start import Demo
from balance_shared.errors import BalanceBusError, ExitCode
from balance_stack.errors import StackError

app = typer.Typer(add_completion=False)

INTERRUPTED = 130
"""Exit code of a program that was interrupted, as shells have it."""

_TELLING = (StackError, BalanceBusError, aiohttp.ClientError, psycopg.Error, OSError)
"""Errors whose text is enough; all others are bugs and show where they happened."""


@app.command()
def demo(
    duration: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="How long to show it, after the start.",
            show_default="until Ctrl-C",
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, help="Updates a second at each venue.")
    ] = 5.0,
    seed: Annotated[
        int, typer.Option(help="Of the traffic: same seed, same trades.")
    ] = 1,
    keep_logs: Annotated[
        bool, typer.Option("--keep-logs", help="Keep the logs after a good end, too.")
    ] = False,
) -> None:
    """Show the whole bus at work: live balances, trouble, and the proof at the end.

    Starts Kafka, a schema registry and PostgreSQL on free ports (fetched the first
    time), a stand-in of every venue, its connector, storage, metrics and proof. Plays a
    lost update at one venue and an outage at another, shows how each goes stale and is
    live again with the books right, what is proven and what is not yet, and why, and
    compares the books with each venue's truth, digit by digit. Ctrl-C ends the show and
    goes on to the comparison; a second one ends everything at once. No process and no
    data stay behind.

    On a terminal a live table is shown, elsewhere plain lines.

    Exit codes: 0 the books equal every venue's truth, 1 they do not or something broke,
    130 interrupted before that was known.
    """
    plan = Plan(duration_s=duration, rate=rate, seed=seed)
    try:
        found = Demo(plan, console(), keep_logs=keep_logs).run()
    except KeyboardInterrupt:
        typer.echo("balancebus: interrupted before the books were compared", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (*_TELLING, ExceptionGroup) as error:
        for one in _leaves(error):
            if not isinstance(one, _TELLING):
                raise
            typer.echo(f"balancebus: {one}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    raise typer.Exit(ExitCode.DONE if found.equal else ExitCode.BUG)


def _leaves(error: Exception) -> Iterator[Exception]:
    """Yield the errors inside a group, or the error itself."""
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    for one in error.exceptions:
        yield from _leaves(one)
