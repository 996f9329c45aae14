"""The shipped JSON Schema is that of the rules, and takes what they take."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml

from balance_alerting.schema import schema_text

EXAMPLE = Path(__file__).parents[3] / "deploy" / "alerting" / "rules.yaml"


def test_shipped_schema_is_fresh():
    """`balancebus alerts schema` writes it."""
    shipped = resources.files("balance_alerting") / "rules.schema.json"
    assert schema_text() == shipped.read_text(encoding="utf-8")


def test_example_is_taken():
    """As an editor would check it."""
    told = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    jsonschema.validate(told, json.loads(schema_text()))


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "a", "type": "nothing"},
        {"name": "a", "type": "balance_below"},
        {"name": "a", "type": "negative", "severty": "info"},
        {"name": "A B", "type": "negative"},
        {"name": "a", "type": "drop", "window": "5"},
    ],
)
def test_wrong_rules_are_refused(rule):
    """An editor helps with fields, types and names."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rules": [rule]}, json.loads(schema_text()))
