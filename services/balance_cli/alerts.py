"""The commands ``balancebus alerts check|schema|backtest``."""

import asyncio
import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from balance_alerting.backtest import Outcome, notes
from balance_alerting.history import play_topics
from balance_alerting.memory import spoken
from balance_alerting.rules_file import errors_in, read_file
from balance_alerting.schema import schema_text
from balance_cli.balances import Format
from balance_cli.quiet import quiet
from balance_cli.tables import show
from balance_cli.times import time_of
from balance_schemas.decimals import plain
from balance_shared.errors import (
    BusInterrupted,
    ExitCode,
    RecordInvalid,
    SettingsError,
)
from balance_shared.service import refuse
from balance_shared.settings import ServiceSettings, load

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


@app.command()
def backtest(
    rules: Annotated[Path, typer.Option(help="A file of rules.")],
    start: Annotated[str, typer.Option("--from", help="ISO 8601, UTC.")],
    end: Annotated[
        str | None,
        typer.Option("--to", help="ISO 8601, UTC.", show_default="now"),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="CSV and JSON have every field.")
    ] = Format.TABLE,
) -> None:
    """Show what rules would have done to what is on the bus, beside what fired.

    Events, states of feeds, proofs and comparisons are played as the service reads
    them. What the topics do not tell any more is said, by rule.
    """
    quiet()
    errors = errors_in(rules)
    if errors:
        raise typer.Exit(refuse(SettingsError("\n".join(errors))))
    now = datetime.now(UTC)
    try:
        settings = load(ServiceSettings)
        times = time_of("--from", start) or now, time_of("--to", end) or now
        if times[0] >= times[1]:
            raise SettingsError("--from: has to be before --to")
        ruleset = read_file(rules).rules
        found, whole = asyncio.run(play_topics(settings, ruleset, *times))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except (BusInterrupted, RecordInvalid) as error:
        typer.echo(f"balancebus: {error}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    for line in notes(ruleset, times[0], whole):
        typer.echo(f"balancebus: {line}", err=True)
    _WRITERS[form](found)


def _row(one: Outcome) -> dict[str, Any]:
    """Return the fields as texts; None and numbers stay."""
    return {
        **asdict(one),
        "started_at": one.started_at.isoformat(),
        "resolved_at": one.resolved_at.isoformat() if one.resolved_at else None,
        "worst": None if one.worst is None else plain(one.worst),
    }


def _write_table(found: Sequence[Outcome]) -> None:
    table = Table("began (UTC)", "lasted", "rule", "severity", "of", "farthest")
    table.add_column("really")
    for one in found:
        ended = one.resolved_at
        table.add_row(
            f"{one.started_at:%Y-%m-%d %H:%M:%S}",
            spoken(ended - one.started_at) if ended else "to the end",
            one.rule if one.count == 1 else f"{one.rule} ({one.count} times)",
            one.severity,
            one.alert_id.partition("|")[2],
            "" if one.worst is None else plain(one.worst),
            one.compared,
        )
    show(table)


def _write_csv(found: Sequence[Outcome]) -> None:
    names = [field.name for field in fields(Outcome)]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(one) for one in found)


def _write_json(found: Sequence[Outcome]) -> None:
    rows = msgspec.json.encode([_row(one) for one in found])
    typer.echo(msgspec.json.format(rows).decode())


_WRITERS = {
    Format.TABLE: _write_table,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
}
