"""The command ``balancebus topics apply``."""

import asyncio

import typer
from rich.table import Table

from balance_cli.quiet import quiet
from balance_cli.tables import show
from balance_schemas.topics import TOPICS
from balance_shared.errors import BalanceBusError, SettingsError, exit_code
from balance_shared.kafka import apply_topics
from balance_shared.service import refuse
from balance_shared.settings import ServiceSettings, load

PATIENCE_S = 15.0
"""How long Kafka may take to answer, in seconds."""

app = typer.Typer(add_completion=False, help="The bus's topics.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """Create and correct the bus's topics."""


@app.command(name="list")
def list_topics() -> None:
    """Show what is on each topic and how long it is kept."""
    try:
        prefix = load(ServiceSettings).topic_prefix
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    table = Table("topic", "value", "kept", "what")
    for topic in TOPICS:
        days = (topic.retention_ms or 0) // (24 * 60 * 60 * 1000)
        kept = f"{days} days" if days else "last of each key"
        name = topic.full_name(prefix)
        table.add_row(name, topic.record.__name__, kept, topic.description)
    show(table)


@app.command()
def apply() -> None:
    """Create missing topics and correct their settings; says what it changed.

    Safe to run again; a topic that keeps its records for longer goes on doing so.
    Replication is TOPIC_REPLICATION, else 3, or as many as there are brokers.
    """
    quiet()
    try:
        settings = load(ServiceSettings)
        changes = asyncio.run(apply_topics(settings, patience_s=PATIENCE_S))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except BalanceBusError as error:
        typer.echo(f"balancebus: {error}", err=True)
        raise typer.Exit(exit_code(error)) from None
    for change in changes:
        typer.echo(change)
    typer.echo(f"{len(TOPICS)} topics, {len(changes)} changes")
