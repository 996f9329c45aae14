"""The command ``balancebus simulate VENUE``: a stand-in venue until asked to stop."""

import asyncio
import dataclasses
import inspect
import json
import signal
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from balance_simulator.scenario import Scenario, load_scenario, play, shipped
from balance_simulator.stand_ins import STAND_INS, StandIn
from balance_simulator.venue import Venue

app = typer.Typer(
    no_args_is_help=True,
    help="Run a stand-in venue: it behaves as the real one, and misbehaves on request.",
)

_HELP = """Stand in for {title}.

Truth and trouble are under /control/ on the same port:

GET truth, ledger, stats, traffic; POST operation, traffic, fault, picture.

Example: curl -d '{{"fault": "gap", "count": 2}}' URL/control/fault
"""


@app.callback()
def simulate() -> None:
    """Run a stand-in venue: it behaves as the real one, and misbehaves on request."""


def _command(stand_in: StandIn) -> Callable[..., None]:
    """Return a command whose options are the settings that the venue's row names."""

    def run(*, as_json: bool, scenario: str | None, **given: Any) -> None:
        try:
            settings = stand_in.settings(**given)
            plot = load_scenario(scenario) if scenario else None
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        try:
            asyncio.run(_serve(stand_in.venue(settings), plot, as_json=as_json))
        except OSError as error:
            place = f"{settings.host}:{settings.port}"
            typer.echo(f"cannot listen on {place}: {error.strerror}", err=True)
            raise typer.Exit(2) from None

    parameters = [*_options(stand_in), _SCENARIO, _JSON]
    run.__annotations__ = {option.name: option.annotation for option in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


def _options(stand_in: StandIn) -> list[inspect.Parameter]:
    hints = get_type_hints(stand_in.settings)
    defaults = {
        field.name: field.default for field in dataclasses.fields(stand_in.settings)
    }
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults[name],
            annotation=Annotated[hints[name], typer.Option(help=words)],
        )
        for name, words in stand_in.options.items()
    ]


_SCENARIO = inspect.Parameter(
    "scenario",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        str | None,
        typer.Option(
            help=f"Play a scenario: one of {', '.join(shipped())}, or a TOML file."
        ),
    ],
)

_JSON = inspect.Parameter(
    "as_json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--json", help="Print the addresses as one JSON line.")
    ],
)

for _name, _stand_in in STAND_INS.items():
    app.command(_name, help=_HELP.format(title=_stand_in.title))(_command(_stand_in))


async def _serve(
    venue: Venue[Any, Any], scenario: Scenario | None, *, as_json: bool
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with venue:
        typer.echo(_addresses(venue, as_json=as_json))
        async with asyncio.TaskGroup() as group:
            if scenario is not None:
                group.create_task(play(scenario, venue))
            await stop.wait()


def _addresses(venue: Venue[Any, Any], *, as_json: bool) -> str:
    """Return the one line that is printed once the venue listens."""
    settings = venue.state.settings
    urls = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
    secrets = {"api_secret": settings.api_secret}
    # Not every venue knows a third part of a key.
    if hasattr(settings, "api_passphrase"):
        secrets["api_passphrase"] = settings.api_passphrase
    if as_json:
        control = {"control_url": f"{venue.rest_url}/control"}
        keys = {"api_keys": venue.api_keys()}
        return json.dumps({"venue": venue.name} | urls | control | keys | secrets)
    told = urls | {"api_key": settings.api_key} | secrets
    words = (f"BALANCEBUS_{name.upper()}={value}" for name, value in told.items())
    return f"Simulated {venue.name}: {' '.join(words)}"
