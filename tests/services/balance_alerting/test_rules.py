"""Who is told, and what the rule behind the data-quality alert is."""

from datetime import timedelta

from balance_alerting.rules import RULE_TYPES
from balance_alerting.rules_text import read_rules

TEXT = """
routes: {one: {type: log}, two: {type: log}}
%s
data_quality: {for: 5m, severity: critical}
rules:
  - {name: own, type: negative, route: two}
  - {name: other, type: negative}
"""


def test_a_rule_without_a_route_takes_the_default_or_all():
    """Nobody is forgotten by default."""
    for default, wanted in (("", ("one", "two")), ("default_route: one", ("one",))):
        rules = read_rules(TEXT % default)
        own, other = rules.rules
        assert (("two",), wanted) == (rules.routes_of(own), rules.routes_of(other))


def test_data_quality_is_a_rule():
    """With the settings that the file gives it."""
    rule = read_rules(TEXT % "").data_quality_rule()
    found = (rule.name, rule.wait, rule.severity)
    assert ("data-quality", timedelta(minutes=5), "critical") == found


def test_every_type_has_a_docstring():
    """It is what an alert's description says."""
    assert all(model.__doc__ for model in RULE_TYPES.values())
