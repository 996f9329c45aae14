"""The command ``balancebus verify``: do PostgreSQL and Kafka agree?"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Annotated

import msgspec
import psycopg
import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from balance_cli.quiet import progress, quiet
from balance_cli.tables import show
from balance_shared.errors import BalanceBusError, ExitCode, SettingsError
from balance_shared.service import refuse
from balance_shared.settings import StorageSettings, load
from balance_storage.audit import audit
from balance_storage.verify import Report, Tally, summary

app = typer.Typer(add_completion=False)

FINDINGS_SHOWN = 50
"""How many findings people are shown; JSON has all."""


SPOKEN_S = 10.0
"""How often a log is told how far it is, in seconds."""


class Format(StrEnum):
    """How the result is written."""

    TABLE = "table"
    JSON = "json"


@app.callback(invoke_without_command=True)
def verify(
    form: Annotated[
        Format, typer.Option("--format", help="JSON has every finding.")
    ] = Format.TABLE,
) -> None:
    """Say whether what is stored is what was stored, and what Kafka tells.

    Computes the chain over each account's rows again, compares balances, accounts and
    ids with the rows, and the topics but for frames with the tables. What storage has
    not taken in yet is told as lag and is no disagreement. Exit code 0: all agree; 1:
    not, or it could not be found out; 2: bad settings. Reads only; may run beside
    everything.
    """
    quiet()
    try:
        settings = load(StorageSettings)
        with progress() as bar:
            told = Spoken() if bar.disable else _shown_by(bar)
            report = asyncio.run(audit(settings, told))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except (psycopg.Error, BalanceBusError) as error:
        typer.echo(
            f"balancebus: cannot verify: {' '.join(str(error).split())}", err=True
        )
        raise typer.Exit(ExitCode.BUG) from None
    {Format.TABLE: _write_table, Format.JSON: _write_json}[form](report)
    raise typer.Exit(ExitCode.DONE if report.agree else ExitCode.BUG)


def _shown_by(bar: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what)
        bar.update(tasks[what], completed=done, total=total)

    return tell


class Spoken:
    """Tells where there is no screen how far it is: a line now and then.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spoke_at = clock()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell it, if it is time."""
        now = self._clock()
        if now - self._spoke_at >= SPOKEN_S:
            self._spoke_at = now
            typer.echo(f"balancebus: {what}: {done:,} of {total:,}", err=True)


def _write_table(report: Report) -> None:
    table = Table("account")
    for field in fields(Tally):
        table.add_column(field.name.replace("_", " "), justify="right")
    for account, tally in sorted(report.tallies.items()):
        table.add_row(account, *(f"{count:,}" for count in asdict(tally).values()))
    show(table)
    if report.findings:
        found = Table("found", "account", "where", show_lines=False)
        for one in report.findings[:FINDINGS_SHOWN]:
            found.add_row(one.kind, one.account, one.where)
        show(found)
    for line in summary(report):
        typer.echo(line)


def _write_json(report: Report) -> None:
    result = {
        "agree": report.agree,
        "accounts": {name: asdict(one) for name, one in sorted(report.tallies.items())},
        "findings": [asdict(one) for one in report.findings],
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(result)).decode())
