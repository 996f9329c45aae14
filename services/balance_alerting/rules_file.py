"""The rules file: read, watched, and left alone while it is wrong."""

from dataclasses import dataclass
from pathlib import Path

from balance_alerting.rules import Ruleset
from balance_alerting.rules_text import RulesInvalid, read_rules
from balance_shared.errors import SettingsError


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
