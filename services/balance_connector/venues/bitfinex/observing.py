"""What wallet arrays become: observations, ledger lines, whole pictures."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from balance_connector.books import Observed, Pocket
from balance_connector.rows import BadRow
from balance_connector.venues.bitfinex.assets import AssetNames
from balance_connector.venues.bitfinex.wallets import is_known, wallet_of
from balance_connector.venues.bitfinex.wire import WalletRow, read_meta
from balance_schemas.records import Movement

_SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class Reading(NamedTuple):
    """What a full list of wallets says.

    Attributes:
        observed: every wallet that can be read, once.
        bad: what cannot be read, or comes a second time.
        unknown_words: wallets whose word we do not know.
        unmapped: codes that no list knows.
    """

    observed: list[Observed]
    bad: list[BadRow]
    unknown_words: int
    unmapped: frozenset[str]


def time_of(time_ms: int | None) -> datetime | None:
    """Return milliseconds since 1970 as a time; None where there is no such time."""
    if time_ms is None:
        return None
    try:
        return _SINCE_1970 + timedelta(milliseconds=time_ms)
    except OverflowError:
        return None


def pocket_of(word: str, code: str, names: AssetNames) -> Pocket:
    """Return which balance a wallet array is of."""
    name = names.of(code)
    wallet = wallet_of(word, derivative=name.derivative)
    return Pocket("", wallet.wallet, wallet.wallet_id, name.asset, code)


def read_list(
    rows: Sequence[WalletRow | BadRow],
    names: AssetNames,
    venue_time: datetime | None = None,
) -> Reading:
    """Return what the rows of a ``ws``, or of the answer to ``wallets``, say."""
    observed: list[Observed] = []
    bad: list[BadRow] = []
    seen: set[Pocket] = set()
    unmapped: set[str] = set()
    unknown_words = 0
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        pocket = pocket_of(row.word, row.code, names)
        if pocket in seen:
            bad.append(BadRow("", row.code, "a wallet is told twice", row.word))
            continue
        seen.add(pocket)
        unknown_words += not is_known(row.word)
        if not names.of(row.code).mapped:
            unmapped.add(row.code)
        observed.append(standing(row, pocket, venue_time))
    return Reading(observed, bad, unknown_words, frozenset(unmapped))


def standing(
    row: WalletRow,
    pocket: Pocket,
    venue_time: datetime | None = None,
    account_sequence: str | None = None,
) -> Observed:
    """Return a balance that nothing is said to have moved.

    What the row says of the last ledger entry is no news: it goes to the attributes.
    """
    attributes = _attributes(row, account_sequence)
    if row.description is not None:
        attributes["description"] = row.description
    if row.meta is not None:
        attributes["meta"] = row.meta
    return Observed(
        pocket,
        row.balance,
        available=row.available,
        reported=row.balance,
        venue_time=venue_time,
        attributes=attributes,
    )


def moved(
    row: WalletRow,
    pocket: Pocket,
    venue_time: datetime | None,
    account_sequence: str | None,
) -> Observed:
    """Return a balance after one ledger entry."""
    return Observed(
        pocket,
        row.balance,
        available=row.available,
        reported=row.balance,
        venue_time=venue_time,
        movements=_movements(row),
        attributes=_attributes(row, account_sequence),
    )


def _attributes(row: WalletRow, account_sequence: str | None) -> dict[str, str]:
    """Return what has no field: positions, a word that is not the v2 one, a number."""
    attributes = row.attributes | word_kept(row.word)
    if account_sequence is not None:
        attributes["account_sequence"] = account_sequence
    return attributes


def word_kept(word: str) -> dict[str, str]:
    """Return a wallet's word as an attribute, unless it is the one in the key."""
    return {} if wallet_of(word).wallet_id == word else {"wallet_type": word}


def _movements(row: WalletRow) -> tuple[Movement, ...]:
    """Return the ledger entry behind an update, if the row says anything of it.

    Its amount is left open: ``trade_amount`` is of the traded currency, which need not
    be this wallet's, and the row says nowhere how much its balance changed.
    """
    meta = {} if row.meta is None else read_meta(row.meta)
    kind = meta.pop("reason", "")
    if row.description is not None:
        meta["description"] = row.description
    if not kind and not meta:
        return ()
    return (Movement(movement_id="", type=kind, attributes=meta),)


def spared_of(
    bad: Collection[BadRow], names: AssetNames
) -> frozenset[tuple[str, ...]] | None:
    """Return whose balances are not known; None if that cannot be told."""
    spared: set[tuple[str, ...]] = set()
    for row in bad:
        if row.asset is None:
            return None
        pocket = pocket_of(row.wallet, row.asset, names)
        if row.wallet:
            spared.add(("", pocket.wallet_id, row.asset))
        else:
            spared |= {("", row.asset), ("", pocket.asset)}
    return frozenset(spared)
