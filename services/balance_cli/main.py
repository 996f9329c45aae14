"""The ``balancebus`` program: one command per service, and the tools around them.

Commands are imported when they are asked for: a connector's process holds no database
driver, and an image without the local stack's packages still runs every service.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from balance_shared import VERSION
from balance_shared.errors import ExitCode

_COMMANDS = {
    "connector": "balance_cli.connector",
    "storage": "balance_cli.storage",
    "proof": "balance_cli.proof",
    "metrics": "balance_cli.metrics",
    "alerting": "balance_cli.alerting",
    "alerts": "balance_cli.alerts",
    "balances": "balance_cli.balances",
    "verify": "balance_cli.verify",
    "explain": "balance_cli.explain",
    "replay": "balance_cli.replay",
    "topics": "balance_cli.topics",
    "schemas": "balance_cli.schemas",
    "config": "balance_cli.config",
    "demo": "balance_cli.demo",
    "stack": "balance_cli.stack",
    "simulate": "balance_cli.simulate",
}
"""Command → module whose `app` it is."""


class _Commands(TyperGroup):
    """Looks commands up in `_COMMANDS`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Import a command."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        try:
            group = import_module(module).app
        except ModuleNotFoundError as error:
            group = _missing(cmd_name, error)
        command = typer.main.get_command(group)
        command.name = cmd_name
        return command


def _missing(name: str, error: ModuleNotFoundError) -> typer.Typer:
    """Return a stand-in for a command whose packages are not installed."""
    reason = f'`balancebus {name}` needs {error.name}: install "balance-bus[stack]"'
    group = typer.Typer(help="(not installed)")

    @group.callback(invoke_without_command=True)
    def fail() -> None:
        typer.echo(f"balancebus: {reason}", err=True)
        raise typer.Exit(ExitCode.SETTINGS)

    return group


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"balancebus {VERSION}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """What do we hold, where, and can we trust the figure?

    Venue balances as Avro events on Kafka. Services take their settings from
    BALANCEBUS_* variables; `balancebus config check SERVICE` lists them.
    """


def main() -> None:
    """Run the program."""
    _end_on_signals(sys.argv[1:])
    app()


def _end_on_signals(arguments: Sequence[str]) -> None:
    """Say how the program ends when it is asked to stop, until a service has started.

    A service that is asked to stop is done. Any other command is broken off, and must
    not seem to have found what it was looking for: it ends as shells have it, 128 and
    the number of the signal. Python itself does so for SIGINT.
    """
    if _is_service(arguments):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(ExitCode.DONE))
    else:
        has_processes = arguments[:1] in (["demo"], ["stack"])
        signal.signal(signal.SIGTERM, _leave if has_processes else _break_off)


def _leave(number: int, _frame: object) -> None:
    """End with the code of a signal, seeing to the processes that were started."""
    sys.exit(128 + number)


def _break_off(number: int, _frame: object) -> None:
    """End so at once: a task that does not answer might hold the end up for ever."""
    os._exit(128 + number)


def _is_service(arguments: Sequence[str]) -> bool:
    """Whether arguments ask for a service: it runs until it is asked to stop."""
    match arguments:
        case ["connector" | "simulate", *_]:
            return True
        case ["alerting" | "metrics" | "proof" | "storage"]:
            return True
        case _:
            return False
