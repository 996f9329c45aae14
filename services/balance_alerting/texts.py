"""What people read about an alert: one line, and more."""

from string import Template

from balance_alerting.conditions import Finding
from balance_alerting.memory import HELD, RESOLVED, Episode, facts, spoken
from balance_alerting.rules import (
    AvailableBelow,
    BalanceAbove,
    BalanceBelow,
    BaseRule,
    Drop,
    MovementAbove,
    Negative,
    UnexpectedAsset,
    Withdrawal,
)
from balance_alerting.selectors import Subject
from balance_schemas.decimals import plain


def describe(rule: BaseRule, episode: Episode, finding: Finding) -> None:
    """Write summary and description of an alert, as the rule wants them or our own."""
    episode.summary = _summary(rule, episode, finding)
    episode.description = _description(rule, episode)
    given = rule.annotations
    for name in ("description", "summary"):  # the summary may quote the description
        over = name == "summary" and episode.state == RESOLVED
        if name in given and not over:  # how long and how far is always said
            text = Template(given[name]).safe_substitute(facts(episode, episode.kind))
            setattr(episode, name, text)


def place(subject: Subject) -> str:
    """Return whose balance it is, such as ``kraken main spot/main BTC``."""
    pocket = "/".join(filter(None, (subject.wallet, subject.wallet_id)))
    parts = (subject.venue, subject.account, subject.subaccount, pocket, subject.asset)
    return " ".join(filter(None, parts))


def annotations(rule: BaseRule | None, episode: Episode, kind: str) -> dict[str, str]:
    """Return the texts of an alert by name."""
    known = facts(episode, kind)
    own = {
        name: Template(text).safe_substitute(known)
        for name, text in (rule.annotations if rule else {}).items()
    }
    figures = ("value", "threshold", "worst", "state")
    told = {name: known[name] for name in figures if known[name]}
    said = {"summary": episode.summary, "description": episode.description}
    return own | told | said


def sentence(rule: BaseRule, finding: Finding) -> str:
    """Return what a rule found."""
    value = "?" if finding.value is None else plain(finding.value)
    limit = "?" if finding.limit is None else plain(finding.limit)
    match rule:
        case BalanceBelow():
            return f"balance {value} is below {limit}"
        case AvailableBelow():
            return f"available {value} is below {limit}"
        case BalanceAbove():
            return f"balance {value} is above {limit}"
        case Negative():
            return f"balance {value} is negative"
        case UnexpectedAsset():
            return f"holds {value} of an asset that is not expected"
        case Drop():
            most = f"{plain(rule.percent)} %" if rule.percent else limit
            within = spoken(rule.window)
            return f"fell by {value} within {within}, {finding.note} (limit {most})"
        case MovementAbove():
            return f"moved {value}, more than {limit}"
        case Withdrawal():
            return f"withdrew {finding.note or value}"
    return finding.note


def _summary(rule: BaseRule, episode: Episode, finding: Finding) -> str:
    where = place(episode.subject)
    if episode.state != RESOLVED:
        times = f" ({episode.count} times)" if episode.count > 1 else ""
        held = " [held: the figures cannot be trusted]" if episode.state == HELD else ""
        return f"{where}: {sentence(rule, finding)}{times}{held}"
    ended = episode.resolved_at or episode.updated_at
    lasted = spoken(ended - episode.started_at)
    return f"{where}: {episode.rule} is over after {lasted}{_farthest(episode)}"


def _farthest(episode: Episode) -> str:
    if episode.worst is None:
        return ""
    limit = "" if episode.limit is None else f", limit {plain(episode.limit)}"
    return f"; farthest {plain(episode.worst)}{limit}"


def _description(rule: BaseRule, episode: Episode) -> str:
    doc = (type(rule).__doc__ or "").strip()
    began = f"{episode.started_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"Rule {episode.rule}, since {began}. {doc}"
