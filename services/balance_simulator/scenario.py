"""Scenarios: what happens at a venue and when, as data files; common to all venues.

A scenario is a TOML file: a title and steps in order of time::

    title = "A message is lost"

    [[steps]]
    at_s = 0
    traffic = { rate = 5 }

    [[steps]]
    at_s = 10
    fault = "gap"
    arguments = { count = 2 }

A step has one of ``fault`` (see ``faults``), ``operation`` (see the venue), ``traffic``
or ``picture``. A fault that means nothing at a venue is left out there. The files that
ship with the package are named without a path: ``gap``.
"""

import asyncio
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from balance_simulator.faults import Fault, read_fault
from balance_simulator.venue import Venue

_KINDS = ("fault", "operation", "traffic", "picture")
_FOLDER = "scenarios"


class ScenarioError(ValueError):
    """A scenario cannot be read: the text says which step and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    Attributes:
        at_s: seconds after the start.
        kind: ``fault``, ``operation``, ``traffic`` or ``picture``.
        name: of the fault or operation, "" otherwise.
        arguments: of it.
    """

    at_s: float
    kind: str
    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens at a venue.

    Attributes:
        title: what it is, for people.
        steps: in order of time.
    """

    title: str
    steps: Sequence[Step]

    @property
    def lasts_s(self) -> float:
        """Seconds from the start to the end of the last step's trouble."""
        return max(
            (
                step.at_s + float(step.arguments.get("seconds", 0))
                for step in self.steps
            ),
            default=0.0,
        )


def shipped() -> list[str]:
    """Return the names of the scenarios that ship with the package."""
    folder = files("balance_simulator") / _FOLDER
    names = (Path(entry.name) for entry in folder.iterdir())
    return sorted(name.stem for name in names if name.suffix == ".toml")


def load_scenario(name: str) -> Scenario:
    """Return a scenario by the name of one that ships, or by the path of a file.

    Raises:
        ScenarioError: there is none, or it cannot be read.
    """
    if name in shipped():
        text = (files("balance_simulator") / _FOLDER / f"{name}.toml").read_text()
        return read_scenario(text)
    try:
        return read_scenario(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(
            f"no scenario {name!r}: neither a file nor one of {', '.join(shipped())}"
        ) from error


def read_scenario(text: str) -> Scenario:
    """Return the scenario that a TOML text tells.

    Raises:
        ScenarioError: it is no TOML, or a step is not as it should be.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"not TOML: {error}") from error
    unknown = told.keys() - {"title", "steps"}
    if unknown:
        raise ScenarioError(f"unknown: {', '.join(sorted(unknown))}")
    steps = [_step(number, step) for number, step in enumerate(told.get("steps", []))]
    return Scenario(str(told.get("title", "")), sorted(steps, key=_time))


def _time(step: Step) -> float:
    return step.at_s


def _step(number: int, told: Mapping[str, Any]) -> Step:
    where = f"step {number + 1}"
    kinds = [kind for kind in _KINDS if kind in told]
    unknown = told.keys() - {"at_s", "arguments", *_KINDS}
    if len(kinds) != 1 or unknown:
        raise ScenarioError(
            f"{where} has {', '.join(sorted(told))}: it should have at_s, one of "
            f"{', '.join(_KINDS)}, and perhaps arguments"
        )
    (kind,) = kinds
    try:
        at_s = float(told["at_s"])
        named = kind in {"fault", "operation"}
        arguments = dict(told.get("arguments", {}) if named else told[kind])
        if kind == "fault":
            read_fault(told["fault"], arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"{where}: {error}") from error
    return Step(at_s, kind, str(told[kind]) if named else "", arguments)


async def play(scenario: Scenario, venue: Venue[Any, Any]) -> None:
    """Have everything happen at its time; return after the last step.

    Raises:
        ValueError: the venue does not know an operation or its arguments.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for step in scenario.steps:
        await asyncio.sleep(max(0.0, began_s + step.at_s - loop.time()))
        _happen(step, venue)


def _happen(step: Step, venue: Venue[Any, Any]) -> None:
    match step.kind:
        case "fault":
            if Fault(step.name) not in venue.state.faults.meaningless:
                venue.fault(step.name, **step.arguments)
        case "operation":
            venue.operate(step.name, step.arguments)
        case "traffic":
            venue.traffic(step.arguments)
        case "picture":
            venue.picture(step.arguments)
