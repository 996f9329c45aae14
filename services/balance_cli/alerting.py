"""The command ``balancebus alerting``."""

from functools import partial

import typer

from balance_alerting.rules_file import errors_in
from balance_alerting.service import run
from balance_shared.errors import ExitCode, SettingsError
from balance_shared.service import refuse, run_service
from balance_shared.settings import AlertingSettings, load

app = typer.Typer(add_completion=False)


@app.command()
def alerting() -> None:
    """Judge balances, proofs and feeds by rules, and tell people what breaks them.

    Reads the rules again when their file changes and at SIGHUP. Any number of
    instances may run.

    Exit codes: 0 asked to stop, 2 bad settings, 4 the bus is lost for good, 1 a bug.
    """
    try:
        settings = load(AlertingSettings)
        errors = errors_in(settings.alerting_rules_file)
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    if errors:
        typer.echo("\n".join(f"balancebus: {line}" for line in errors))
        raise typer.Exit(ExitCode.SETTINGS)
    raise typer.Exit(run_service("alerting", settings, partial(run, settings)))
