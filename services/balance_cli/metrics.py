"""The command ``balancebus metrics``."""

from functools import partial

import typer

from balance_metrics.service import run
from balance_shared.errors import SettingsError
from balance_shared.service import refuse, run_service
from balance_shared.settings import MetricsSettings, load

app = typer.Typer(add_completion=False)


@app.command()
def metrics() -> None:
    """Show each current balance, and when it was confirmed, to Prometheus.

    Exit codes: 0 asked to stop, 2 bad settings, 4 the bus is lost for good, 1 a bug.
    """
    try:
        settings = load(MetricsSettings)
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    raise typer.Exit(run_service("metrics", settings, partial(run, settings)))
