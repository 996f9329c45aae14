"""The command ``balancebus connector VENUE``."""

from functools import partial
from typing import Annotated

import typer

from balance_connector.service import options_of, run, url_of
from balance_connector.venues import VENUES
from balance_shared.errors import SettingsError
from balance_shared.service import refuse, run_service
from balance_shared.settings import ConnectorSettings, load

app = typer.Typer(add_completion=False)


@app.command()
def connector(
    venue: Annotated[str, typer.Argument(help=f"One of: {', '.join(VENUES)}.")],
) -> None:
    """Publish one venue account's balances to Kafka.

    Exit codes: 0 asked to stop, 2 bad settings, 3 the venue refuses the credentials
    or the request, 4 the bus is lost for good, 1 a bug.
    """
    try:
        if venue not in VENUES:
            known = ", ".join(VENUES)
            raise SettingsError(f"unknown venue {venue!r}: should be one of {known}")
        settings = load(ConnectorSettings)
        row = VENUES[venue]
        options_of(row, settings)
        for feed in {*settings.feeds, "rest"}:
            url_of(row, settings, feed)
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    raise typer.Exit(run_service("connector", settings, partial(run, row, settings)))
