"""The rules file: read, watched, and left alone while it is wrong."""

from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog

from balance_alerting.courier import Couriers
from balance_alerting.routes import routes_of
from balance_alerting.rules import Ruleset
from balance_alerting.rules_text import RulesInvalid, read_rules
from balance_shared import telemetry
from balance_shared.clock import Clock
from balance_shared.errors import SettingsError
from balance_shared.service import Parts

LOOK_EVERY_S = 2.0
"""How often the rules file is looked at, in seconds."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says.

    Attributes:
        text: the whole of it.
        rules: what that means.
    """

    text: str
    rules: Ruleset


def read_file(path: Path) -> Told:
    """Return the rules in a file.

    Raises:
        SettingsError: a line for each error, as many as fit; `errors_in` has all.
    """
    text = text_of(path)
    try:
        return Told(text, read_rules(text))
    except RulesInvalid as error:
        raise SettingsError("\n".join(_lines(path, error))) from None


def errors_in(path: Path) -> list[str]:
    """Return a line for each error in a file, however many; none if it can be used."""
    try:
        read_rules(text_of(path))
    except RulesInvalid as error:
        return _lines(path, error)
    except SettingsError as error:
        return [str(error)]
    return []


def _lines(path: Path, error: RulesInvalid) -> list[str]:
    return [f"{path}:{one.line}: {one.what}" for one in error.problems]


def text_of(path: Path) -> str:
    """Return the text of a file; SettingsError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is not UTF-8 text") from error


class Rules:
    """The rules in use, and who is told by them.

    Args:
        path: of the file.
        session: for the routes.
        parts: told whether the file in place is in use.
        clock: the service's.

    Attributes:
        ruleset: the rules.
        couriers: of their routes.
        clock: the service's.
        version: grows with each change.
    """

    def __init__(
        self,
        path: Path,
        session: aiohttp.ClientSession,
        parts: Parts,
        clock: Clock,
    ) -> None:
        self._path = path
        self._session = session
        self._parts = parts
        self._text = ""
        self._look_at = 0.0
        self.clock = clock
        self.couriers = Couriers(parts, clock)
        self.ruleset = Ruleset()
        self.version = 0

    async def load(self) -> None:
        """Use what the file says.

        Raises:
            SettingsError: it is wrong; the rules that were in use still are.
        """
        try:
            told = read_file(self._path)
            routes = routes_of(told.rules.routes, self._session, self.clock)
        except SettingsError as error:
            telemetry.RULES_RELOADS.labels("refused").inc()
            first = str(error).splitlines()[0]
            self._parts.not_ready("rules", f"refused, the old ones go on: {first}")
            raise
        await self.couriers.use(routes)
        self.ruleset, self._text = told.rules, told.text
        self.version += 1
        self._parts.ready("rules")
        telemetry.RULES_RELOADS.labels("loaded").inc()
        telemetry.RULES_LOADED.set(self.clock.now().timestamp())
        log.info("rules_loaded", rules=len(self.ruleset.rules), routes=list(routes))

    def look_now(self) -> None:
        """Read the file at the next look, changed or not."""
        self._look_at, self._text = 0.0, ""

    async def look(self) -> None:
        """Load the file again if it has changed."""
        now = self.clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        try:
            text = text_of(self._path)
            if text != self._text:
                self._text = text  # a wrong one is told once
                await self.load()
        except SettingsError as error:
            log.warning("rules_refused", errors=str(error).splitlines())
