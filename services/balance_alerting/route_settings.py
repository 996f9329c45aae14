"""Who is told: the routes of the rules file, and texts with ``${…}`` in them."""

import re
from datetime import timedelta
from string import Template
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from balance_alerting.figures import Length

SUBJECT = ("venue", "account", "subaccount", "wallet", "wallet_id", "asset")
"""Labels that say which balance an alert is about."""

PLACEHOLDERS = frozenset(
    {
        *SUBJECT,
        "rule",
        "severity",
        "state",
        "kind",
        "alert_id",
        "value",
        "threshold",
        "worst",
        "count",
        "duration",
        "started_at",
        "resolved_at",
        "summary",
        "description",
    }
)
"""What ``${…}`` in annotations and webhook bodies may name."""

_HTTP = re.compile(r"https?://[^\s/]+\S*")


def template(text: str) -> str:
    """Return a text with ``${…}`` in it, checked.

    Raises:
        ValueError: it names something that no alert has.
    """
    known = Template(text)
    if not known.is_valid():
        raise ValueError("has a $ that is no ${name}; write $$ for a dollar sign")
    for name in known.get_identifiers():
        if name not in PLACEHOLDERS:
            raise ValueError(f"has an unknown placeholder ${{{name}}}")
    return text


def _url(text: str) -> str:
    if not _HTTP.fullmatch(text):
        raise ValueError("should be a URL that begins with http:// or https://")
    return text


Text = Annotated[str, AfterValidator(template)]
Url = Annotated[str, AfterValidator(_url)]


class Part(BaseModel):
    """Base of all: nothing unknown, nothing changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class AlertmanagerRoute(Part):
    """A Prometheus Alertmanager, by its API v2."""

    type: Literal["alertmanager"]
    url: Url
    resend: Length = Field(
        default=timedelta(minutes=1),
        description="What fires is told again, or it is forgotten.",
    )
    expires: Length = Field(
        default=timedelta(hours=1),
        description="Forgotten so long after we died.",
    )


class WebhookRoute(Part):
    """A page that takes JSON."""

    type: Literal["webhook"]
    url: Url | None = None
    url_file: str | None = Field(default=None, description="A file that has it.")
    secret_file: str | None = Field(default=None, description="Signs by HMAC-SHA256.")
    body: dict[str, Any] | None = Field(
        default=None, description='What is sent, such as {"text": "${summary}"}.'
    )

    @field_validator("body")
    @classmethod
    def _templates(cls, body: Any) -> Any:
        for text in _texts_in(body):
            template(text)
        return body

    @model_validator(mode="after")
    def _one_url(self) -> "WebhookRoute":
        if (self.url is None) == (self.url_file is None):
            raise ValueError("needs either url or url_file")
        return self


def _texts_in(body: Any) -> list[str]:
    match body:
        case str():
            return [body]
        case dict():
            return [text for part in body.values() for text in _texts_in(part)]
        case list():
            return [text for part in body for text in _texts_in(part)]
    return []


class LogRoute(Part):
    """The service's own log."""

    type: Literal["log"]


AnyRoute = AlertmanagerRoute | WebhookRoute | LogRoute
