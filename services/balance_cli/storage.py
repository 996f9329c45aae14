"""The commands ``balancebus storage`` and ``balancebus storage migrate``."""

from functools import partial

import psycopg
import typer

from balance_shared.errors import ExitCode, SettingsError
from balance_shared.service import refuse, run_service
from balance_shared.settings import StorageSettings, load
from balance_storage.database import checked_dsn
from balance_storage.schema import migrate
from balance_storage.service import run

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def storage(context: typer.Context) -> None:
    """Store every event and each current balance in PostgreSQL, exactly once.

    Makes or updates the tables first. Any number of instances may run.
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
        typer.echo(f"balancebus: cannot reach PostgreSQL: {error}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    came = f"migrated from {done.before or 'nothing'}"
    change = "up to date" if done.before == done.after else came
    typer.echo(f"schema balancebus: revision {done.after}, {change}")
    if done.notice:
        typer.echo(f"balancebus: {done.notice}", err=True)
