"""The commands ``balancebus storage``, ``storage migrate`` and ``storage rebuild``."""

import asyncio
from functools import partial

import psycopg
import typer

from balance_cli.quiet import progress
from balance_shared.errors import BalanceBusError, ExitCode, SettingsError, exit_code
from balance_shared.service import refuse, run_service
from balance_shared.settings import StorageSettings, load
from balance_storage.database import checked_dsn
from balance_storage.rebuild import Rebuilt, rebuild
from balance_storage.schema import migrate
from balance_storage.service import run

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def storage(context: typer.Context) -> None:
    """Store every event and each current balance in PostgreSQL, exactly once.

    Makes or updates the tables first. Any number of instances may run.

    Exit codes: 0 asked to stop, 2 bad settings, 4 the bus is lost for good, 1 a bug.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        settings = load(StorageSettings)
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    raise typer.Exit(run_service("storage", settings, partial(run, settings)))


@app.command(name="migrate")
def migrate_tables() -> None:
    """Make or update the tables and stop; `storage` itself does so when it starts."""
    try:
        dsn = load(StorageSettings).postgres_dsn.get_secret_value()
        done = migrate(checked_dsn(dsn), grants=True)
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        typer.echo(f"balancebus: cannot reach PostgreSQL: {said}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    came = f"migrated from {done.before or 'nothing'}"
    change = "up to date" if done.before == done.after else came
    typer.echo(f"schema balancebus: revision {done.after}, {change}")
    if done.notice:
        typer.echo(f"balancebus: {done.notice}", err=True)


@app.command(name="rebuild")
def rebuild_tables() -> None:
    """Store what the topics hold, up to their present end, and stop.

    For a new database (BALANCEBUS_POSTGRES_DSN); one that was begun goes on from
    there. Storage of another database may run meanwhile.
    """
    try:
        settings = load(StorageSettings)
        rebuilt = asyncio.run(_rebuilt(settings))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        typer.echo(f"balancebus: PostgreSQL: {said}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    except BalanceBusError as error:
        typer.echo(f"balancebus: {error}", err=True)
        raise typer.Exit(exit_code(error)) from None
    typer.echo(f"{rebuilt.records} records stored")
    if rebuilt.cut:
        typer.echo(
            "balancebus: these partitions no longer reach back to their beginning, and "
            f"what is older is not in the tables: {', '.join(rebuilt.cut)}",
            err=True,
        )


async def _rebuilt(settings: StorageSettings) -> Rebuilt:
    with progress() as bars:
        bar = bars.add_task("records", total=None)
        return await rebuild(
            settings,
            lambda done, total: bars.update(bar, completed=done, total=total),
        )
