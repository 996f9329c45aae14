"""The venue's accounts in our words.

An account is the tuple of participant, group, label, type and asset (Zero Hash docs
"What is an account type"); ``account_id`` is only its number. The first three are our
subaccount, the type is the wallet.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

from balance_connector.books import Pocket
from balance_connector.venues.zerohash.options import ZeroHashOptions
from balance_schemas.keys import encode_part

DEFAULT_LABEL = "general"
"""Label of accounts that are told without: labels were added later."""

_WALLETS = {"available": "spot"} | {
    word: word
    for word in (
        "collateral",
        "collateral_deficiency",
        "payable",
        "receivable",
        "staked",
    )
}
_SLASHES = 2
_ENCODED = str.maketrans({"%": "%25", "/": "%2F"})

Key = tuple[str, str, str]
"""Subaccount, account type and asset code: one account, in its shortest form."""


class Code(NamedTuple):
    """An asset code in our words: ``base`` is the asset without its chain, or ""."""

    asset: str
    network: str
    base: str


def subaccount_of(owner: str, group: str, label: str) -> str:
    """Return ``owner/group/label`` with ``%`` and ``/`` inside a part encoded.

    Equal ones are one object: a picture may have 100,000 of them.
    """
    text = f"{owner}/{group}/{label}"
    if "%" in text or text.count("/") != _SLASHES:
        text = "/".join(part.translate(_ENCODED) for part in (owner, group, label))
    return sys.intern(text)


def parts_of(subaccount: str) -> tuple[str, str, str] | None:
    """Return owner, group and label of a subaccount, None if it is not one of ours."""
    parts = subaccount.split("/")
    if len(parts) != 3:  # noqa: PLR2004
        return None
    owner, group, label = (
        part.replace("%2F", "/").replace("%25", "%") for part in parts
    )
    return owner, group, label


def is_known(word: str) -> bool:
    """Whether an account type is a word of the documentation."""
    return word in _WALLETS


def key_of(pocket: Pocket) -> Key:
    """Return which account a pocket is."""
    return pocket.subaccount, pocket.wallet_id, pocket.venue_asset


def fact_id(pocket: Pocket, run_id: str) -> str:
    """Return the id of what a run did to one account, within its subaccount.

    Runs touch several accounts, and movements share their ids over both legs: only
    account and run together name a fact.
    """
    parts = pocket.wallet_id, pocket.venue_asset, run_id
    return "/".join(encode_part(part) for part in parts)


def covers_of(options: ZeroHashOptions) -> Callable[[Pocket], bool] | None:
    """Return which balances a filtered picture tells; None if it tells all."""
    wanted = options.filter
    if not wanted:
        return None

    def covers(pocket: Pocket) -> bool:
        owner, group, _ = parts_of(pocket.subaccount) or ("", "", "")
        own = {
            "account_owner": owner,
            "account_group": group,
            "account_type": pocket.wallet_id,
            "asset": pocket.venue_asset,
        }
        return all(own[name] == value for name, value in wanted.items())

    return covers


class Accounts:
    """Makes the pockets of accounts.

    Args:
        options: of the venue.
    """

    def __init__(self, options: ZeroHashOptions) -> None:
        self._aliases = options.aliases
        self._chains = options.multi_chain_assets
        self._codes: dict[str, Code] = {}

    def code(self, code: str) -> Code:
        """Return an asset code in our words; its chain is the part after the last dot.

        The asset keeps the chain: holdings on two chains are two balances.
        """
        named = self._codes.get(code)
        if named is None:
            base, _, chain = code.rpartition(".")
            if not (self._chains and base and chain):
                base = chain = ""
            named = Code(self._aliases.get(code) or code, chain, base)
            self._codes[code] = named
        return named

    def pocket(self, key: Key, reference: str) -> Pocket:
        """Return the pocket of an account; `reference` is its number, "" if unknown."""
        subaccount, word, code = key
        named = self.code(code)
        return Pocket(
            subaccount,
            _WALLETS.get(word, "unspecified"),
            word,
            named.asset,
            code,
            network=named.network,
            reference=reference,
        )
