"""Which balances a rule is for: globs on each part of their names."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import NamedTuple

from balance_alerting.rules import Match
from balance_schemas.keys import account_key, balance_key


class Subject(NamedTuple):
    """What an alert is about: a balance, or an account where all but two are empty."""

    venue: str
    account: str
    subaccount: str = ""
    wallet: str = ""
    wallet_id: str = ""
    asset: str = ""

    @property
    def account_key(self) -> str:
        """The key of its account."""
        return account_key(self.venue, self.account)

    @property
    def key(self) -> str:
        """The balance key, or the account key."""
        return balance_key(*self) if self.wallet else self.account_key


def matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether a text matches any of some globs, case and all."""
    listed = tuple(globs)
    if "*" in listed:
        return lambda _text: True
    if not listed:
        return lambda _text: False
    pattern = re.compile("|".join(translate(glob) for glob in listed))
    return lambda text: pattern.match(text) is not None


class Selector:
    """A `Match`, ready to be asked.

    Args:
        match: of a rule.
    """

    def __init__(self, match: Match) -> None:
        self._venue = matcher(match.venue)
        self._account = matcher(match.account)
        self._subaccount = matcher(match.subaccount)
        self._wallet = matcher(glob for glob in match.wallet if "/" not in glob)
        self._pocket = matcher(glob for glob in match.wallet if "/" in glob)
        self._asset = matcher(match.asset)

    def takes_account(self, venue: str, account: str) -> bool:
        """Return whether the rule is for balances of an account."""
        return self._venue(venue) and self._account(account)

    def takes(self, subject: Subject) -> bool:
        """Return whether the rule is for a balance."""
        return (
            self.takes_account(subject.venue, subject.account)
            and self._subaccount(subject.subaccount)
            and (
                self._wallet(subject.wallet)
                or self._pocket(f"{subject.wallet}/{subject.wallet_id}")
            )
            and self._asset(subject.asset)
        )
