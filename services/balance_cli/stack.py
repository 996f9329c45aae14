"""``balancebus stack``: the local Kafka, schema registry and PostgreSQL."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from balance_stack.errors import StackError, StackRefused
from balance_stack.ports import (
    KAFKA_PORT,
    POSTGRES_PORT,
    REGISTRY_PORT,
    fixed_ports,
    free_ports,
)
from balance_stack.stack import Stack

app = typer.Typer(
    help="Run Kafka, a schema registry and PostgreSQL on this machine.",
    no_args_is_help=True,
)

_DIRECTORY = Path(".cache/stack")

Directory = Annotated[Path, typer.Option(help="Where data, logs and pid files lie.")]


@app.command()
def up(
    *,
    directory: Directory = _DIRECTORY,
    brokers: Annotated[
        int | None, typer.Option(min=1, max=9, help="Kafka brokers.", show_default="1")
    ] = None,
    kafka_port: Annotated[
        int, typer.Option(help="Port of the first Kafka broker.")
    ] = KAFKA_PORT,
    registry_port: Annotated[
        int, typer.Option(help="Port of the schema registry.")
    ] = REGISTRY_PORT,
    postgres_port: Annotated[
        int, typer.Option(help="Port of PostgreSQL.")
    ] = POSTGRES_PORT,
    find_free: Annotated[
        bool, typer.Option("--free-ports", help="Find free ports for all parts.")
    ] = False,
) -> None:
    """Start what does not run yet, and wait until every part answers."""
    with _told_in_one_line():
        stack = Stack.load(directory)
        running = stack is not None and stack.is_running()
        if stack is None or not any(part.running for part in stack.status()):
            count = brokers or (len(stack.ports.kafka) if stack else 1)
            stack = Stack(
                directory,
                free_ports(count)
                if find_free
                else fixed_ports(count, kafka_port, registry_port, postgres_port),
            )
        elif brokers not in {None, len(stack.ports.kafka)}:
            raise StackRefused(
                f"{directory} runs {len(stack.ports.kafka)} Kafka broker(s), not "
                f"{brokers}: end it first (balancebus stack down --delete-data)"
            )
        stack.fetch()
        with Console(stderr=True).status(
            "Starting Kafka, the registry and PostgreSQL ..."
        ):
            stack.up()
    if running:
        typer.echo(f"Already running in {directory}.")
    _show(stack)
    typer.echo(
        "For other programs: "
        'eval "$(balancebus stack status --export)" sets their addresses.'
    )


@app.command()
def down(
    *,
    directory: Directory = _DIRECTORY,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete what the parts stored, too.")
    ] = False,
) -> None:
    """End every part; data and logs stay unless told otherwise."""
    with _told_in_one_line():
        stack = Stack.load(directory)
        if stack is None:
            typer.echo(f"There is no stack in {directory}.")
            return
        stack.down()
        if delete_data:
            stack.layout.remove_data()
    typer.echo("Stopped, and the data deleted." if delete_data else "Stopped.")


@app.command()
def status(
    *,
    directory: Directory = _DIRECTORY,
    export: Annotated[
        bool, typer.Option("--export", help="Print shell lines with the addresses.")
    ] = False,
) -> None:
    """Show every part; exit with 1 unless all of them run."""
    with _told_in_one_line():
        stack = Stack.load(directory)
    if stack is None:
        typer.echo(
            f"There is no stack in {directory}: balancebus stack up starts one.",
            err=True,
        )
        raise typer.Exit(1)
    if export:
        for name, value in stack.endpoints.environment().items():
            typer.echo(f"export {name}={value}")
    else:
        _show(stack)
    if not stack.is_running():
        raise typer.Exit(1)


def _show(stack: Stack) -> None:
    table = Table("part", "state", "memory", "address", "log file", box=None)
    for part in stack.status():
        state = "[green]running[/]" if part.running else "[red]stopped[/]"
        memory = f"{part.memory_bytes / 2**20:.0f} MiB" if part.running else ""
        table.add_row(part.name, state, memory, part.address, _relative(part.log))
    # Addresses and paths are for copying: never cut them off where no terminal is.
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(table)


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    try:
        yield
    except StackError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
