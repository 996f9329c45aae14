"""The command ``balancebus config check SERVICE``."""

from typing import Annotated

import typer
from rich.table import Table

from balance_cli.tables import show
from balance_shared.errors import SettingsError
from balance_shared.service import refuse
from balance_shared.settings import (
    PREFIX,
    AlertingSettings,
    ConnectorSettings,
    MetricsSettings,
    ProofSettings,
    ServiceSettings,
    StorageSettings,
    load,
)

app = typer.Typer(
    add_completion=False, help="The services' settings.", no_args_is_help=True
)

_SERVICES: dict[str, type[ServiceSettings]] = {
    "connector": ConnectorSettings,
    "storage": StorageSettings,
    "metrics": MetricsSettings,
    "proof": ProofSettings,
    "alerting": AlertingSettings,
}


@app.callback()
def config() -> None:
    """Look at the services' settings."""


@app.command()
def check(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(_SERVICES)}.")],
) -> None:
    """Show the settings a service would start with, secrets hidden; exit 2 if wrong."""
    try:
        if service not in _SERVICES:
            known = ", ".join(_SERVICES)
            raise SettingsError(f"unknown service {service!r}: one of {known}")
        settings = load(_SERVICES[service])
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    table = Table("setting", "value")
    for name, value in settings:
        given = "" if value is None else str(value)
        style = "bold" if name in settings.model_fields_set else "dim"
        table.add_row(f"{PREFIX}{name.upper()}", given, style=style)
    show(table)
