"""The commands ``balancebus alerts check|schema|backtest``."""

from pathlib import Path
from typing import Annotated

import typer

from balance_alerting.rules_file import errors_in, read_file
from balance_alerting.schema import schema_text
from balance_shared.errors import ExitCode

app = typer.Typer(
    add_completion=False, help="The rules of alerting.", no_args_is_help=True
)


@app.callback()
def alerts() -> None:
    """Look at alert rules."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file of rules.")],
) -> None:
    """Say what is wrong with rules, a line for each error; exit 2 if anything is."""
    errors = errors_in(file)
    for line in errors:
        typer.echo(f"balancebus: {line}", err=True)
    if errors:
        raise typer.Exit(ExitCode.SETTINGS)
    rules = read_file(file).rules
    number, routes = len(rules.rules), ", ".join(rules.routes) or "none"
    typer.echo(f"{file}: {number} rules are right; routes: {routes}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the rules file, for editors."""
    typer.echo(schema_text(), nl=False)
