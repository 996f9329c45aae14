"""Our YAML is read as YAML is meant, and what is not plain is refused."""

import pytest
from plain_yaml import read

TEXT = """
# a comment
base: &base   # another
  text: "8080"
  number: 8080
  flag: true
  nothing:
over:
  <<: *base
  number: 1
items:
  - name: one  # a#b
    path: a#b
  - {name: two, drop: [ALL, "x, y"]}
  - http://host:9092/path
"""


def test_plain_text_is_read():
    """Anchors are laid under, comments cut, texts and numbers told apart."""
    base = {"text": "8080", "number": 8080, "flag": True, "nothing": None}
    assert {
        "base": base,
        "over": {**base, "number": 1},
        "items": [
            {"name": "one", "path": "a#b"},
            {"name": "two", "drop": ["ALL", "x, y"]},
            "http://host:9092/path",
        ],
    } == read(TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "key: |\n  text",
        "key: >\n  text",
        "key: 'text'",
        'key: "a\\n"',
        "key: !tag x",
        "? key",
        "---",
        "a: 1\n   b: 2",
    ],
)
def test_what_is_not_plain_is_refused(text):
    """Nothing is read by guess."""
    with pytest.raises(ValueError, match="not plain"):
        read(text)
