"""Texts with placeholders are checked before anybody is told."""

import pytest
from pydantic import ValidationError

from balance_alerting.route_settings import WebhookRoute, template


def test_placeholders_are_known_names():
    """A dollar sign is written twice."""
    assert "${value} of $$5" == template("${value} of $$5")


@pytest.mark.parametrize("text", ["${valeu}", "$5", "${", "${a b}"])
def test_wrong_placeholders_are_refused(text):
    """Or people would read them."""
    with pytest.raises(ValueError, match=r"placeholder|dollar"):
        template(text)


def test_a_body_is_checked_to_its_depth():
    """Wherever a text stands in it."""
    with pytest.raises(ValidationError, match="valeu"):
        WebhookRoute(type="webhook", url="http://x/y", body={"a": [{"b": "${valeu}"}]})
