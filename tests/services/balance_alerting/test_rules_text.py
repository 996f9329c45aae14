"""A wrong file is told whole: each error with its line, and what was meant."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_alerting.rules import Ruleset
from balance_alerting.rules_text import RulesInvalid, read_rules

WRONG = """\
routes:
  am: {type: alertmanager, url: "localhost:9093"}
  chat:
    type: webhok
  hook:
    type: webhook
    url: http://x/y
    body: {text: "${sumary}"}
default_route: amm
rules:
  - name: low-btc
    type: balance_below
    below: 0.1234567890123456789
    severty: critical
  - name: low_btc
    type: balance_below
    below: 10
    clear: 5
    match: {asset: "[BT", venu: kraken}
    route: [am, xx]
  - name: x
    type: balace_below
  - name: y
    type: drop
    window: 5
    severity: bad
  - type: withdrawal
    name: z
    above:
    type: negative
  - name: data_quality
    type: unproven_for
"""

FOUND = [
    (
        2,
        "am: url: should be a URL that begins with http:// or https://, is 'localhost:9093'",
    ),
    (4, "chat: unknown type 'webhok'; did you mean webhook?"),
    (8, "hook: body: has an unknown placeholder ${sumary}; did you mean summary?"),
    (9, "default_route: unknown route 'amm'; did you mean am?"),
    (
        13,
        "rule low-btc: below: has 19 fraction digits, at most 18 fit, is '0.1234567890123456789'",
    ),
    (14, "rule low-btc: unknown field severty; did you mean severity?"),
    (15, "rule low_btc: low-btc is the name of the rule in line 11 already"),
    (
        18,
        "rule low_btc: clear: is on the wrong side: it should not be less than below, is '5'",
    ),
    (
        19,
        "rule low_btc: match: asset: is a bad glob: the [ of '[BT' is never closed, is '[BT'",
    ),
    (19, "rule low_btc: match: unknown field venu; did you mean venue?"),
    (20, "rule low_btc: route: item 2: unknown route 'xx'"),
    (22, "rule x: unknown type 'balace_below'; did you mean balance_below?"),
    (25, "rule y: window: should be a duration such as 90s, 5m, 1h30m or 2d, is '5'"),
    (26, "rule y: severity: should be 'info', 'warning' or 'critical', is 'bad'"),
    (29, "rule z: above: has no value: give one or leave it out"),
    (30, "item 5: type is given twice"),
    (31, "rule data_quality: data-quality is the name of alerting itself already"),
    (31, "rule data_quality: for is required"),
]


def errors(text):
    """Return (line, what) of each error."""
    with pytest.raises(RulesInvalid) as caught:
        read_rules(text)
    return [(one.line, one.what) for one in caught.value.problems]


def test_all_errors_are_told_at_once():
    """With their lines, as people look for them."""
    assert FOUND == errors(WRONG)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the file is empty: give at least rules: []"),
        ("a: [", 1, "not YAML: expected the node content, but found '<stream end>'"),
        (
            "rules:\n\t- a",
            2,
            "not YAML: found character '\\t' that cannot start any token",
        ),
        ("rules: &x\n  - *x", 2, "aliases (*) are not taken here"),
        ("rules: []\n<<: {}", 2, "merge keys (<<) are not taken here"),
        ("? [a]\n: b", 1, "a key has to be a plain text"),
        ("[]", 1, "should be a mapping of names to values"),
        ("rules: 5", 1, "should be a list, is '5'"),
        ("rules: [5]", 1, "item 1: should be a mapping of names to values, is '5'"),
        ("rules: [{name: x}]", 1, "rule x: type is required"),
        ("rules: []\n---\nrules: []", 2, "not YAML: but found another document"),
        ("a\x00b", 1, "not YAML: special characters are not allowed"),
        ("routes: {a: {type: webhook}}", 1, "a: needs either url or url_file"),
        (
            "rules: [{name: x, type: drop, window: 1h}]",
            1,
            "rule x: needs either percent or amount",
        ),
        (
            "rules: [{name: x, type: drop, window: 1h, amount: 5, clear: 6}]",
            1,
            "rule x: clear: is on the wrong side: it should not be more than percent or amount, is '6'",
        ),
        (
            "rules: [{name: x, type: balance_above, above: 5, clear: 6}]",
            1,
            "rule x: clear: is on the wrong side: it should not be more than above, is '6'",
        ),
        (
            "rules: [{name: x, type: negative, labels: {venue: a}}]",
            1,
            "rule x: labels: venue is set by alerting itself",
        ),
        (
            "rules: [{name: x, type: stale_for, for: 5m, match: {asset: B}}]",
            1,
            "rule x: match: takes venue and account only: a feed has all its wallets",
        ),
    ],
)
def test_error(text, line, what):
    """Of every kind."""
    assert (line, what) in errors(text)


def test_nothing_is_read_as_a_number():
    """A threshold has the digits that were written."""
    rules = read_rules(
        "rules: [{name: a, type: balance_below, below: 0.1000000000000000055}]".replace(
            "55}", "5}"
        )
    )
    assert "0.100000000000000005" == str(rules.rules[0].below)


@given(st.text(alphabet="ab:{}[]-&*<?|>'\"\n #!%@,0", max_size=40))
def test_any_text_is_rules_or_told_wrong(text):
    """No text ends the service."""
    with suppress(RulesInvalid):
        assert isinstance(read_rules(text), Ruleset)
