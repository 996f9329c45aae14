"""What no linter knows: rules of this house that a reader would have to remember."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from balance_shared import telemetry

ROOT = Path(__file__).parent.parent
SOURCES = ("schemas", "shared", "services", "deploy/local")
NUMBERS_ARE_MONEY = (
    "schemas/balance_schemas",
    "services/balance_alerting",
    "services/balance_connector",
    "services/balance_storage",
)

NAMES_OF_METRICS = {
    "Counter",
    "Gauge",
    "LateGauge",
    "Histogram",
    "Summary",
    "Info",
    "Enum",
}

BROAD_EXCEPTS = {
    "shared/balance_shared/service.py": "the one place that ends a process",
    "shared/balance_shared/kafka/producer.py": "stops a half-started client, re-raises",
    "shared/balance_shared/kafka/consumer.py": "stops a half-started client, re-raises",
    "shared/balance_shared/kafka/reading.py": "stops a half-started client, re-raises",
    "services/balance_demo/start.py": "ends half-started processes, re-raises",
    "deploy/local/balance_stack/programs.py": "deletes a half download, re-raises",
    "deploy/local/balance_stack/stack.py": "ends half-started parts, re-raises",
}
"""Files that may catch everything, and what for."""

FLOATS = {
    "services/balance_connector/retry.py": "seconds to wait",
    "services/balance_connector/service.py": "a gauge",
    "services/balance_connector/venues/kraken/refusals.py": "seconds to wait",
}
"""Files near money that make floats, and of what."""

KAFKA_CLIENTS = ("shared/balance_shared/kafka/", "deploy/local/balance_stack/kafka.py")
"""Who speaks to Kafka: one package, and the local stack that starts it."""

WITHOUT_TESTS = (
    "services/balance_cli",
    "services/balance_connector",
    "services/balance_demo",
)
"""Folders whose tests do not mirror the sources, or not yet."""

TESTED_ELSEWHERE = {
    "services/balance_storage/migrations/env.py": "test_schema.py runs it",
    "deploy/local/balance_stack/docker.py": "needs a Docker engine",
    "deploy/local/balance_stack/errors.py": "classes and no code",
    "deploy/local/balance_stack/kafka.py": "test_stack.py runs it",
    "deploy/local/balance_stack/layout.py": "test_stack.py uses its paths",
    "deploy/local/balance_stack/registry.py": "test_stack.py runs it",
    "deploy/local/balance_stack/running.py": "every integration test runs it",
    "deploy/local/balance_stack/watchdog.py": "test_stack.py kills its owner",
}
"""Modules without a test file of their own, and why."""


def sources() -> Iterator[tuple[str, Path]]:
    """Yield (path below the root, file) of every source file."""
    for root in SOURCES:
        for file in sorted((ROOT / root).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), file


@cache
def trees() -> list[tuple[str, ast.AST]]:
    """Return (path, what it says) of every source file."""
    return [
        (path, ast.parse(file.read_text(encoding="utf-8"))) for path, file in sources()
    ]


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Yield (path, node) of every node of one kind in the sources."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield path, node


def names_in(expression: ast.AST | None) -> set[str]:
    """Return the names that an expression is made of."""
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(expression or ast.Name("BaseException"))
        if isinstance(node, ast.Name | ast.Attribute)
    }


def test_everything_is_caught_only_where_it_must_be():
    """Whoever catches all errors hides bugs; the list says who may, and why."""
    found = {
        path
        for path, node in nodes(ast.ExceptHandler)
        if names_in(node.type) & {"Exception", "BaseException"}
    }
    assert set(BROAD_EXCEPTS) == found


def test_whoever_catches_everything_raises_it_again():
    """Only the end of a process is an exception's end."""
    for path, node in nodes(ast.ExceptHandler):
        broad = names_in(node.type) & {"Exception", "BaseException"}
        if broad and path != "shared/balance_shared/service.py":
            last = node.body[-1]
            assert isinstance(last, ast.Raise), path
            assert last.exc is None, path


def test_no_float_where_money_goes():
    """Neither calls nor literals make a float of what may be an amount."""
    found = {
        path
        for path, node in nodes(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "float"
        if path.startswith(NUMBERS_ARE_MONEY)
    }
    assert set(FLOATS) == found


def test_one_package_speaks_to_kafka():
    """A change of the client library is a change in one place."""
    for path, node in [*nodes(ast.Import), *nodes(ast.ImportFrom)]:
        names = {getattr(node, "module", None), *(name.name for name in node.names)}
        if any(str(name).split(".")[0] == "aiokafka" for name in names):
            assert path.startswith(KAFKA_CLIENTS)


def test_metrics_are_declared_in_one_place():
    """Dashboards are written from one list."""
    for path, node in nodes(ast.Call):
        made = names_in(node.func) & NAMES_OF_METRICS
        first = node.args[0] if node.args else None
        named = isinstance(first, ast.Constant) and isinstance(first.value, str)
        assert not (made and named) or path == "shared/balance_shared/telemetry.py", (
            path
        )
    for name, metric in vars(telemetry).items():
        if type(metric).__name__ in NAMES_OF_METRICS:
            assert metric._name.startswith("balancebus_"), name


def test_every_test_says_what_it_shows():
    """A test's docstring is one sentence, which a reader of a failure meets first."""
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("test_"):
                text = ast.get_docstring(node) or ""
                place = f"{file.relative_to(ROOT)}: {node.name}"
                assert text.endswith((".", "?")), place
                assert "\n" not in text, place


def mirrored() -> Iterator[tuple[str, Path]]:
    """Yield (source, the test file that mirrors it) of modules that have code."""
    for path, file in sources():
        if path.startswith(WITHOUT_TESTS) or path in TESTED_ELSEWHERE:
            continue
        if file.name == "__init__.py" or "/versions/" in path:
            continue
        place = Path(path.replace("/balance_stack/", "/"))
        yield path, ROOT / "tests" / place.with_name(f"test_{file.name}")


@pytest.mark.parametrize(("path", "test"), list(mirrored()))
def test_every_module_has_its_tests(path, test):
    """Whoever changes a module finds its tests at once."""
    assert test.is_file(), f"{path} has no {test.relative_to(ROOT)}"


@pytest.mark.parametrize("path", [*TESTED_ELSEWHERE, *BROAD_EXCEPTS, *FLOATS])
def test_exceptions_to_the_rules_are_there(path):
    """A list of exceptions does not outlive what it excepts."""
    assert (ROOT / path).is_file()
    assert not re.search(r"\s", path)
