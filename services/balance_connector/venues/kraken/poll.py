"""REST polls: ``Balance``, with ``Assets`` for the names (docs, "Get Account Balance").

Each answer is the whole account, net of pending withdrawals. Until the venue has told
the names of its codes, those serve under which the balances are known: a balance keeps
its key through a restart.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import Holding, Observed, Pocket
from balance_connector.rows import UNREADABLE
from balance_connector.venue import (
    Credentials,
    Note,
    Picture,
    Request,
    Response,
    Step,
    unusable,
)
from balance_connector.venues.kraken.auth import private_call
from balance_connector.venues.kraken.names import AskedNames, names_told
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.refusals import result_of
from balance_shared.errors import FrameInvalid, VenueError

NAME_CHARS_MAX = 200
"""Most characters of an asset code."""

_PERMISSION = "Query Funds"

_balances = msgspec.json.Decoder(dict[str, msgspec.Raw])


class KrakenPoll:
    """Protocol of the polls; see `balance_connector.venue.PollProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: KrakenOptions,
        known: Collection[Holding] = (),
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._names = AskedNames(options.aliases, names_told(known))
        self._pending: list[Request | None] = []
        self._asked: Request | None = None

    def begin(self, now: datetime) -> None:
        """Start a round: the names where they are due, then the balances."""
        self._pending = [*self._names.calls(now), None]

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call of this round."""
        if not self._pending:
            return None
        self._asked = self._pending.pop(0)
        if self._asked is not None:
            return self._asked
        multiplier = "rebased" if self._options.rebased else "base"
        return private_call(
            self._credentials, "Balance", nonce, rebase_multiplier=multiplier
        )

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request."""
        if self._asked is not None:
            return self._names.take(self._asked, response, received_at)
        try:
            result = result_of(response, _PERMISSION, received_at.timestamp())
            return self._read(_balances.decode(result), received_at)
        except (VenueError, *UNREADABLE) as error:
            return unusable(error)

    def _read(self, rows: dict[str, msgspec.Raw], received_at: datetime) -> Step:
        observed: list[Observed] = []
        bad: dict[str, str] = {}
        unmapped: set[str] = set()
        new = 0
        for code, raw in rows.items():
            try:
                balance = amount_of(raw)
                _check_name(code)
            except UNREADABLE as error:
                bad[code] = str(error)
                continue
            name = self._names.table.of_balance(code)
            if not name.mapped:
                unmapped.add(code)
                new += self._names.due.is_new_unknown(code, received_at)
            pocket = Pocket(
                "", name.wallet, name.wallet_id, name.asset, code, name.asset_class
            )
            observed.append(Observed(pocket, balance, reported=balance))
        return Step(
            picture=Picture(observed, self._spared(bad), frozenset(unmapped)),
            invalid=_invalid(bad),
            notes=(Note.UNMAPPED_ASSET,) * new,
        )

    def _spared(self, bad: dict[str, str]) -> frozenset[tuple[str, ...]]:
        """Return whose balances are not known: the codes and their assets."""
        assets = {self._names.table.of_balance(code).asset for code in bad}
        return frozenset(("", name) for name in assets | set(bad))


def _check_name(code: str) -> None:
    if not 0 < len(code) <= NAME_CHARS_MAX:
        raise ValueError(f"a code of {len(code)} characters")


def _invalid(bad: dict[str, str]) -> FrameInvalid | None:
    if not bad:
        return None
    listed = "; ".join(f"{code[:40]}: {error}" for code, error in list(bad.items())[:5])
    return FrameInvalid("invalid_row", f"unreadable: {listed}", frozenset(bad))
