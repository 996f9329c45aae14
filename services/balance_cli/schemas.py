"""The commands ``balancebus schemas register`` and ``balancebus schemas check``."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.table import Table

from balance_cli.tables import show
from balance_schemas.codec import schema_text
from balance_schemas.compatibility import problems
from balance_schemas.topics import TOPICS
from balance_shared.errors import BalanceBusError, ExitCode, SettingsError, exit_code
from balance_shared.registry import COMPATIBILITY, Registry
from balance_shared.service import refuse
from balance_shared.settings import ServiceSettings, load

app = typer.Typer(
    add_completion=False, help="The schemas of the records.", no_args_is_help=True
)

_Ask = Callable[[ServiceSettings, Registry], Awaitable[dict[str, int]]]

PATIENCE_S = 15.0
"""How long to wait for the registry, in seconds."""


@app.callback()
def schemas() -> None:
    """Register and check the schemas of the records."""


@app.command()
def register() -> None:
    """Register every topic's schema; a registry that has it already keeps its id."""
    settings, ids = _with_registry(_register)
    table = Table("subject", "id")
    for topic in TOPICS:
        table.add_row(topic.subject(settings.topic_prefix), str(ids[topic.name]))
    show(table)


@app.command()
def check(
    offline: Annotated[
        bool, typer.Option("--offline", help="Only against the released versions.")
    ] = False,
) -> None:
    """Check that every schema reads, and is read by, every version before it.

    Against the released versions in the repository and, unless --offline, against the
    registry. Exit code 1 if one does not.
    """
    found = list(problems())
    if not offline:
        settings, answers = _with_registry(_check)
        found += [
            f"{topic.subject(settings.topic_prefix)}: the registry refuses it "
            f"({COMPATIBILITY})"
            for topic in TOPICS
            if not answers[topic.name]
        ]
    for problem in found:
        typer.echo(f"balancebus: {problem}", err=True)
    if found:
        raise typer.Exit(ExitCode.BUG)
    typer.echo(f"{len(TOPICS)} schemas, {COMPATIBILITY}: all compatible")


async def _register(settings: ServiceSettings, registry: Registry) -> dict[str, int]:
    return {
        topic.name: await registry.register(
            topic.subject(settings.topic_prefix), schema_text(topic.record.__name__)
        )
        for topic in TOPICS
    }


async def _check(settings: ServiceSettings, registry: Registry) -> dict[str, int]:
    return {
        topic.name: await registry.compatible(
            topic.subject(settings.topic_prefix), schema_text(topic.record.__name__)
        )
        for topic in TOPICS
    }


def _with_registry(ask: _Ask) -> tuple[ServiceSettings, dict[str, int]]:
    """Return the settings and what a question to the registry gave, or exit."""

    async def run(settings: ServiceSettings) -> dict[str, int]:
        async with Registry(settings.schema_registry_url, PATIENCE_S) as registry:
            return await ask(settings, registry)

    try:
        settings = load(ServiceSettings)
        return settings, asyncio.run(run(settings))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except BalanceBusError as error:
        typer.echo(f"balancebus: {error}", err=True)
        raise typer.Exit(exit_code(error)) from None
