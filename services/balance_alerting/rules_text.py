"""The text of a rules file to rules, or every error in it with its line. No I/O.

The YAML is read as a tree of texts with line numbers: a number keeps the digits that
were written. Aliases and merge keys are refused, as what they repeat has no line of its
own; keys given twice are refused, as one of them would be lost.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from balance_alerting.route_settings import PLACEHOLDERS, Part
from balance_alerting.rules import (
    DATA_QUALITY,
    ROUTE_TYPES,
    RULE_TYPES,
    DataQuality,
    Match,
    Ruleset,
)

Path = tuple[str | int, ...]
"""Keys and places from the top of the file."""


_KINDS = {
    "model_type": "should be a mapping of names to values",
    "model_attributes_type": "should be a mapping of names to values",
    "dict_type": "should be a mapping of names to values",
    "tuple_type": "should be a list",
    "string_type": "should be a text",
}
"""Kind of error → what should be there."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error.

    Attributes:
        line: in the file, from 1.
        what: what was found, and what to do.
    """

    line: int
    what: str


class RulesInvalid(ValueError):  # noqa: N818 — says what is, as the other errors do
    """A rules file cannot be used.

    Attributes:
        problems: every error found, by line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the errors in the order of the file."""
        self.problems = tuple(sorted(set(problems)))
        super().__init__("; ".join(f"{one.line}: {one.what}" for one in self.problems))


@dataclass(slots=True)
class _Tree:
    """What stands in the file, and in which line each part begins."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, loc: Iterable[str | int]) -> tuple[Path, int]:
        """Return the part that an error of pydantic's is about, and its line."""
        path: Path = ()
        for step in loc:  # it has union tags and "[key]" among the steps
            if (*path, step) in self.lines:
                path = (*path, step)
        return path, self.lines.get(path, 1)


def read_rules(text: str) -> Ruleset:
    """Return the rules that a text says.

    Raises:
        RulesInvalid: it has errors; all of them are told at once.
    """
    tree = _tree_of(text)
    problems = [*tree.problems, *_crossing(tree)]
    ruleset = None
    try:
        ruleset = Ruleset.model_validate(tree.value)
    except ValidationError as error:
        problems += [_problem(tree, one) for one in error.errors()]
    if problems or ruleset is None:
        raise RulesInvalid(problems)
    return ruleset


def _tree_of(text: str) -> _Tree:
    tree = _Tree()
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _not_yaml(event.start_mark, "aliases (*) are not taken here")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_yaml(mark, f"not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RulesInvalid([Problem(line, f"not YAML: {error.reason}")]) from error
    except RecursionError as error:
        raise RulesInvalid([Problem(1, "not YAML: nested too deeply")]) from error
    if node is None:
        raise RulesInvalid([Problem(1, "the file is empty: give at least rules: []")])
    tree.value = _value(tree, node, ())
    return tree


def _not_yaml(mark: Any, what: str) -> RulesInvalid:
    return RulesInvalid([Problem((mark.line if mark else 0) + 1, what)])


def _value(tree: _Tree, node: Any, path: Path) -> Any:
    tree.lines.setdefault(path, node.start_mark.line + 1)
    match node:
        case yaml.MappingNode():
            return _mapping(tree, node, path)
        case yaml.SequenceNode():
            return [
                _value(tree, part, (*path, place))
                for place, part in enumerate(node.value)
            ]
        case yaml.ScalarNode():
            empty = node.tag.endswith(":null") and not node.style
            return None if empty else node.value
    raise TypeError(node)


def _mapping(tree: _Tree, node: Any, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, part in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            tree.problems.append(Problem(line, "a key has to be a plain text"))
        elif key.tag.endswith(":merge"):
            tree.problems.append(Problem(line, "merge keys (<<) are not taken here"))
        elif key.value in found:
            tree.problems.append(
                Problem(line, f"{_place(tree, path)}{key.value} is given twice")
            )
        else:
            tree.lines[(*path, key.value)] = line
            found[key.value] = _value(tree, part, (*path, key.value))
    return found


def _crossing(tree: _Tree) -> Iterator[Problem]:
    """Yield errors between parts: names taken twice and routes that are not there."""
    value = tree.value if isinstance(tree.value, dict) else {}
    rules = value.get("rules")
    taken = {_folded(DATA_QUALITY): (DATA_QUALITY, "alerting itself")}
    for place, rule in enumerate(rules if isinstance(rules, list) else []):
        name = rule.get("name") if isinstance(rule, dict) else None
        if not isinstance(name, str):
            continue
        line = tree.lines["rules", place, "name"]
        if _folded(name) in taken:
            other, where = taken[_folded(name)]
            yield Problem(line, f"rule {name}: {other} is the name of {where} already")
        else:
            taken[_folded(name)] = name, f"the rule in line {line}"
    routes = value.get("routes")
    known = list(routes) if isinstance(routes, dict) else []
    for path, name in _routes_named(value):
        if name not in known:
            what = f"{_place(tree, path)}unknown route {name!r}{_hint(name, known)}"
            yield Problem(tree.line(path)[1], what)


def _folded(name: str) -> str:
    """Return what two names must not share: low-btc and Low_BTC are mixed up."""
    return name.lower().replace("_", "-")


def _routes_named(value: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    rules = value.get("rules")
    places: list[tuple[Path, Any]] = [(("default_route",), value.get("default_route"))]
    quality = value.get("data_quality")
    if isinstance(quality, dict):
        places.append((("data_quality", "route"), quality.get("route")))
    places += [
        (("rules", place, "route"), rule.get("route"))
        for place, rule in enumerate(rules if isinstance(rules, list) else [])
        if isinstance(rule, dict)
    ]
    for path, named in places:
        if isinstance(named, str):
            yield path, named
        for place, name in enumerate(named if isinstance(named, list) else []):
            if isinstance(name, str):
                yield (*path, place), name


def _problem(tree: _Tree, error: Any) -> Problem:
    """Return what pydantic found, for people."""
    path, line = tree.line(error["loc"])
    place = _place(tree, path)
    given = error["input"]
    match error["type"]:
        case "extra_forbidden":
            hint = _hint(str(path[-1]), _fields(tree, path[:-1]))
            return Problem(
                line, f"{_place(tree, path[:-1])}unknown field {path[-1]}{hint}"
            )
        case "missing":
            return Problem(line, f"{place}{error['loc'][-1]} is required")
        case "union_tag_invalid":
            found = given.get("type") if isinstance(given, dict) else None
            types = RULE_TYPES if path[:1] == ("rules",) else ROUTE_TYPES
            line = tree.lines.get((*path, "type"), line)
            hint = _hint(str(found), list(types)) or f": one of {', '.join(types)}"
            return Problem(line, f"{place}unknown type {found!r}{hint}")
        case "union_tag_not_found":
            return Problem(line, f"{place}type is required")
        case "literal_error":
            expected = error["ctx"]["expected"]
            return Problem(line, f"{place}should be {expected}, is {given!r}")
    message = _KINDS.get(error["type"]) or str(error["msg"])
    message = message.removeprefix("Value error, ")
    if given is None:
        message = "has no value: give one or leave it out"
    shown = f", is {given!r}" if isinstance(given, str) else ""
    return Problem(line, f"{place}{message}{shown}{_placeholder_hint(message)}")


def _placeholder_hint(message: str) -> str:
    _, found, rest = message.partition("unknown placeholder ${")
    return _hint(rest.rstrip("}"), sorted(PLACEHOLDERS)) if found else ""


def _place(tree: _Tree, path: Path) -> str:
    """Return where that is, as people say it, with a colon."""
    value: Any = tree.value
    words: list[str] = []
    for step in path:
        value = None if value is None else value[step]
        name = value.get("name") if isinstance(value, dict) else None
        if isinstance(step, int):
            words.append(f"rule {name}" if name else f"item {step + 1}")
        elif words or path[0] != "routes":
            words.append(str(step))
        else:
            words.append(f"route {step}" if step != "routes" else "")
    return "".join(f"{word}: " for word in words if word not in ("", "rules"))


def _fields(tree: _Tree, path: Path) -> list[str]:
    """Return the fields that a part may have."""
    model: type[Part] | None = None
    match path:
        case ():
            model = Ruleset
        case ("data_quality",):
            model = DataQuality
        case ("rules", int(), "match"):
            model = Match
        case ("rules" | "routes", _):
            value = tree.value[path[0]][path[1]]
            types = RULE_TYPES if path[0] == "rules" else ROUTE_TYPES
            model = types.get(value.get("type"))
    fields = model.model_fields.items() if model else ()
    return [one.alias or name for name, one in fields]


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
