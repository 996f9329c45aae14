"""The rules file as types: what may stand in it, and what is refused.

A rule names a type, the balances that it is for, a limit, and how people are told.
`balance_alerting.rules_text` reads the file into these and says in which line an error
stands. The same types give the JSON Schema for editors.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from balance_alerting.figures import (
    Amount,
    Duration,
    Globs,
    LabelName,
    Length,
    Name,
    Names,
    NotNegative,
    Positive,
)
from balance_alerting.route_settings import (
    SUBJECT,
    AnyRoute,
    Part,
    Text,
)

Severity = Literal["info", "warning", "critical"]

DATA_QUALITY = "data-quality"
"""Name of the alert that stands for the held ones of an account."""

RESERVED = frozenset({*SUBJECT, "alertname", "rule", "severity"})
"""Label names that rules may not set."""

WINDOW_MAX = timedelta(days=7)
"""Longest window of a drop: events of that time are read at every start."""


class Match(Part):
    """Which balances: every given part has to match, a list matches if one does."""

    venue: Globs = ("*",)
    account: Globs = ("*",)
    subaccount: Globs = ("*",)
    wallet: Globs = Field(default=("*",), description="spot, or spot/main.")
    asset: Globs = ("*",)


class BaseRule(Part):
    """What every rule has."""

    name: Name
    match: Match = Match()
    severity: Severity = "warning"
    keep_firing_for: Duration = Field(
        default=timedelta(minutes=1),
        description="Resolved once it is over for so long: holds flapping down.",
    )
    repeat: Length = Field(
        default=timedelta(hours=4),
        description="Told again after so long.",
    )
    labels: dict[LabelName, str] = Field(default={})
    annotations: dict[LabelName, Text] = Field(
        default={},
        description="summary, description, any; ${value} works.",
    )
    route: Names = Field(default=(), description="Who is told; else default_route.")

    @field_validator("labels")
    @classmethod
    def _not_reserved(cls, labels: dict[str, str]) -> dict[str, str]:
        taken = sorted(RESERVED & labels.keys())
        if taken:
            raise ValueError(f"{', '.join(taken)} is set by alerting itself")
        return labels

    @property
    def wait(self) -> timedelta:
        """How long it must hold before it fires."""
        return timedelta(0)


class LastingRule(BaseRule):
    """A rule on something that lasts."""

    for_: Duration = Field(
        default=timedelta(0),
        alias="for",
        description="Fires once it lasted so long.",
    )

    @property
    def wait(self) -> timedelta:
        """How long it must hold before it fires."""
        return self.for_


class _Below(LastingRule):
    below: Amount
    clear: Amount | None = Field(default=None, description="Over from there on up.")

    @field_validator("clear")
    @classmethod
    def _right_side(cls, clear: Any, info: ValidationInfo) -> Any:
        limit = info.data.get("below")
        if None not in (clear, limit) and clear < limit:
            raise ValueError("is on the wrong side: it should not be less than below")
        return clear


class BalanceBelow(_Below):
    """The balance is less than a limit."""

    type: Literal["balance_below"]


class AvailableBelow(_Below):
    """The free part is less than a limit; silent while the venue does not tell it."""

    type: Literal["available_below"]


class BalanceAbove(LastingRule):
    """The balance is more than a limit."""

    type: Literal["balance_above"]
    above: Amount
    clear: Amount | None = Field(default=None, description="Over from there on down.")

    @field_validator("clear")
    @classmethod
    def _right_side(cls, clear: Any, info: ValidationInfo) -> Any:
        limit = info.data.get("above")
        if None not in (clear, limit) and clear > limit:
            raise ValueError("is on the wrong side: it should not be more than above")
        return clear


class Drop(LastingRule):
    """The balance is less than it was within a window, by an amount or percentage."""

    type: Literal["drop"]
    window: Length
    percent: Positive | None = None
    amount: Positive | None = None
    clear: NotNegative | None = Field(
        default=None,
        description="Over below this, in the same unit.",
    )

    @field_validator("window")
    @classmethod
    def _not_too_long(cls, window: timedelta) -> timedelta:
        if window > WINDOW_MAX:
            raise ValueError(f"should be at most {WINDOW_MAX.days}d")
        return window

    @field_validator("percent")
    @classmethod
    def _a_part_of_it(cls, percent: Any) -> Any:
        if percent is not None and percent > 100:  # noqa: PLR2004
            raise ValueError("should be at most 100")
        return percent

    @field_validator("clear")
    @classmethod
    def _right_side(cls, clear: Any, info: ValidationInfo) -> Any:
        limit = info.data.get("percent") or info.data.get("amount")
        if None not in (clear, limit) and clear > limit:
            raise ValueError(
                "is on the wrong side: it should not be more than percent or amount"
            )
        return clear

    @model_validator(mode="after")
    def _one_limit(self) -> "Drop":
        if (self.percent is None) == (self.amount is None):
            raise ValueError("needs either percent or amount")
        return self


class Negative(LastingRule):
    """The balance is less than nothing."""

    type: Literal["negative"]


class UnexpectedAsset(LastingRule):
    """There is something of an asset that nobody expects there."""

    type: Literal["unexpected_asset"]
    expected: Globs


class _Event(BaseRule):
    keep_firing_for: Duration = Field(
        default=timedelta(minutes=10),
        description="Over so long after the last.",
    )


class MovementAbove(_Event):
    """One movement, in or out, is larger than a limit."""

    type: Literal["movement_above"]
    above: NotNegative


class Withdrawal(_Event):
    """The venue tells of a withdrawal."""

    type: Literal["withdrawal"]
    above: NotNegative = Field(
        "0", description="Only larger ones.", validate_default=True
    )


class ProofViolated(LastingRule):
    """The books of a balance do not add up."""

    type: Literal["proof_violated"]


class UnprovenFor(LastingRule):
    """Some balance of an account has been unproven for a time."""

    type: Literal["unproven_for"]
    for_: Length = Field(alias="for", description="Fires once it lasted so long.")


class StaleFor(LastingRule):
    """The feed of an account has not been live for a time."""

    type: Literal["stale_for"]
    for_: Length = Field(alias="for", description="Fires once it lasted so long.")

    @field_validator("match")
    @classmethod
    def _of_accounts(cls, match: Match) -> Match:
        if match.model_fields_set - {"venue", "account"}:
            raise ValueError("takes venue and account only: a feed has all its wallets")
        return match


class ReconciliationFailed(LastingRule):
    """Stream and REST do not agree on an account."""

    type: Literal["reconciliation_failed"]


class TransitOlderThan(BaseRule):
    """What was withdrawn has not been deposited at any venue of ours in time."""

    type: Literal["transit_older_than"]
    older_than: Length


class DataQuality(Part):
    """The one alert for an account whose figures cannot be trusted."""

    for_: Duration = Field(default=timedelta(seconds=30), alias="for")
    severity: Severity = "warning"
    keep_firing_for: Duration = timedelta(minutes=1)
    repeat: Length = timedelta(hours=4)
    labels: dict[LabelName, str] = Field(default={})
    annotations: dict[LabelName, Text] = Field(default={})
    route: Names = ()


class DataQualityRule(LastingRule):
    """`DataQuality` as a rule."""

    type: Literal["data_quality"] = "data_quality"


AnyRule = (
    BalanceBelow
    | BalanceAbove
    | AvailableBelow
    | Drop
    | MovementAbove
    | Withdrawal
    | Negative
    | UnexpectedAsset
    | ProofViolated
    | UnprovenFor
    | StaleFor
    | ReconciliationFailed
    | TransitOlderThan
)


def _types(union: Any) -> dict[str, type[Part]]:
    """Return type → class."""
    return {
        get_args(model.model_fields["type"].annotation)[0]: model
        for model in get_args(union)
    }


RULE_TYPES = _types(AnyRule)
ROUTE_TYPES = _types(AnyRoute)


class Ruleset(Part):
    """Alert rules of Balance bus."""

    routes: dict[Name, Annotated[AnyRoute, Field(discriminator="type")]] = Field(
        default={}
    )
    default_route: Names = Field(default=(), description="All routes if left out.")
    data_quality: DataQuality = DataQuality()
    rules: tuple[Annotated[AnyRule, Field(discriminator="type")], ...] = ()

    def routes_of(self, rule: BaseRule) -> tuple[str, ...]:
        """Return the names of the routes that are told."""
        return rule.route or self.default_route or tuple(self.routes)

    def data_quality_rule(self) -> DataQualityRule:
        """Return the rule behind the data-quality alert."""
        told = {
            name: getattr(self.data_quality, name)
            for name in type(self.data_quality).model_fields
        }
        return DataQualityRule(name=DATA_QUALITY, **told)
