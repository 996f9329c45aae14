"""What the picture and the entries since say of each wallet.

An entry's own ``balance`` may mean the wallet or the whole asset: both are predicted,
and the figure says itself which it is. Source: docs, WebSocket v2 "Balances".
"""

from dataclasses import dataclass, field
from decimal import Decimal

from balance_connector.books import Books, Observed, Pocket
from balance_connector.rows import BadRow, time_of
from balance_connector.venue import Note
from balance_connector.venues.kraken import wire
from balance_connector.venues.kraken.assets import AssetNames
from balance_connector.venues.kraken.observing import (
    movement_of,
    pictured,
    total_of,
)
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.wallets import (
    UNNAMED,
    Wallet,
    is_known,
    wallet_of,
)
from balance_schemas.decimals import ZERO, add, plain, subtract
from balance_shared.errors import FrameInvalid, PictureNeeded
from balance_shared.remembered import Remembered

_LEDGER_IDS_MAX = 20_000


@dataclass(slots=True)
class _Asset:
    """What one user holds of one asset: by wallet, and the total as last known."""

    total: Decimal = ZERO
    wallets: dict[Wallet, Decimal] = field(default_factory=dict)


class AccountLedger:
    """The wallets of one connection's account, and the entries told.

    Args:
        options: aliases, and whether all users are told (then there is no picture).
        books: which entries were told before the connection.

    Attributes:
        unmoved: keys of the balances that the picture told as they were told last.
    """

    def __init__(self, options: KrakenOptions, books: Books) -> None:
        self.unmoved: frozenset[str] = frozenset()
        self._options = options
        self._books = books
        self._names = AssetNames(options.aliases)
        self._assets: dict[tuple[str, str], _Asset] = {}
        self._pockets: dict[tuple[str, str, Wallet, str | None], Pocket] = {}
        self._unreadable: frozenset[tuple[str, ...]] = frozenset()
        self._ledger_ids: Remembered[str, int] = Remembered(_LEDGER_IDS_MAX)

    def clear(self) -> None:
        """Forget all, before a picture."""
        self._assets.clear()
        self._ledger_ids.clear()

    def picture_row(
        self, read: wire.Read, notes: list[Note], seen: set[str]
    ) -> list[Observed]:
        """Return what a row tells of each wallet.

        Raises:
            ValueError: the asset or a wallet is told twice, or the sum does not fit.
        """
        row: wire.PictureRow = read.row
        wallets = {wallet_of(told.type, told.id) for told in row.wallets or ()}
        if row.asset in seen or len(wallets) < len(row.wallets or ()):
            raise ValueError("a wallet is told twice")
        total = total_of(row.wallets or ())
        seen.add(row.asset)
        attributes = dict(read.extras)
        if not row.wallets:
            self._assets["", row.asset] = _Asset(row.balance, {UNNAMED: row.balance})
            pocket = self._pocket("", row.asset, UNNAMED, row.asset_class)
            return [pictured(pocket, row.balance, attributes, scope="account")]
        if total != row.balance:
            attributes["account_balance"] = f"{row.balance:f}"
            notes.append(Note.PICTURE_DIFFERENCE)
        asset = self._assets["", row.asset] = _Asset(row.balance)
        observed = []
        of_wallets = read.of_wallets or ({},) * len(row.wallets)
        for told, extras in zip(row.wallets, of_wallets, strict=True):
            wallet = wallet_of(told.type, told.id) or UNNAMED
            if not is_known(wallet) and wallet != UNNAMED:
                notes.append(Note.UNKNOWN_WORD)
            asset.wallets[wallet] = told.balance
            pocket = self._pocket("", row.asset, wallet, row.asset_class)
            observed.append(pictured(pocket, told.balance, attributes | extras))
        return observed

    def update(self, read: wire.Read, notes: list[Note]) -> Observed | None:
        """Return what an entry says of its wallet; None if it was told before.

        Raises:
            FrameInvalid: it names no wallet and the asset has several.
            AmountUnfitError: a balance after it does not fit.
            PictureNeeded: it was told before, and fits neither that nor the picture.
        """
        row: wire.UpdateRow = read.row
        if self._repeats(row, read.content):
            notes.append(Note.DUPLICATE)
            return None
        user = row.user or ""
        delta = subtract(row.amount, row.fee or ZERO)
        asset = self._assets.get((user, row.asset))
        if asset is None:
            asset = self._assets[user, row.asset] = _Asset()
        wallet = wallet_of(row.wallet_type, row.wallet_id) or _only_wallet(row, asset)
        if not is_known(wallet) and wallet != UNNAMED:
            notes.append(Note.UNKNOWN_WORD)
        balance, scope = self._establish(asset, wallet, delta, row)
        if scope != "wallet" and self._is_pictured(row, scope):
            notes.append(Note.DUPLICATE)
            return None
        attributes = read.extras
        if scope == "account" and wallet != UNNAMED and asset.wallets.get(UNNAMED):
            # The picture named no wallet: whose the figure is, is not known either.
            attributes = attributes | _words(row)
            wallet, balance = UNNAMED, add(asset.wallets[UNNAMED], delta)
        asset.total = add(asset.total, delta)
        asset.wallets[wallet] = balance
        occurred_at = time_of(row.timestamp)
        return Observed(
            self._pocket(user, row.asset, wallet, row.asset_class),
            balance,
            delta=delta,
            reported=row.balance,
            scope=scope,
            venue_id=row.ledger_id,
            venue_time=occurred_at,
            movements=(movement_of(row, delta, occurred_at),),
            attributes=attributes,
        )

    def _repeats(self, row: wire.UpdateRow, content: int) -> bool:
        """Note the entry; whether it was told before on this connection.

        Raises:
            PictureNeeded: it was, with other figures.
        """
        if row.ledger_id is None:
            return False
        fact = _fact(row)
        before = self._ledger_ids.get(fact)
        self._ledger_ids.remember(fact, content)
        if before not in {None, content}:
            raise PictureNeeded(
                "ledger_entry_changed",
                f"ledger entry {row.ledger_id} was told again with other content",
            )
        return before is not None

    def _establish(
        self, asset: _Asset, wallet: Wallet, delta: Decimal, row: wire.UpdateRow
    ) -> tuple[Decimal, str]:
        """Return the wallet's balance after the entry, and what its figure covers."""
        previous = asset.wallets.get(wallet)
        expected = delta if previous is None else add(previous, delta)
        if self._has_base(row):
            if row.balance == expected:
                return row.balance, "wallet"
            if row.balance == add(asset.total, delta):
                return expected, "account"
        return row.balance if previous is None else expected, "unknown"

    def _is_pictured(self, row: wire.UpdateRow, scope: str) -> bool:
        """Whether the picture holds an entry, which was told before it.

        So it is where the balance did not move between; what only a history told says
        nothing of the picture.

        Raises:
            PictureNeeded: it was told before, but the picture does not show that it
                holds it, and the figure fits nothing: it is not told a second time.
        """
        user = row.user or ""
        fact = self._books.fact(user, row.ledger_id) if row.ledger_id else None
        if fact is None or not self._has_base(row):
            return False
        if fact.key in self.unmoved and fact.at == time_of(row.timestamp):
            return True
        if scope == "unknown":
            raise PictureNeeded(
                "ledger_entry_changed",
                f"ledger entry {row.ledger_id} was told before the picture and fits "
                "neither that nor the picture",
            )
        return False

    def _has_base(self, row: wire.UpdateRow) -> bool:
        """Whether the picture told what this asset's wallets held."""
        return (
            not self._options.users_all
            and (row.user or "", row.asset) not in self._unreadable
        )

    def doubt_scope(self, row: wire.UpdateRow, observed: Observed) -> None:
        """Ask for a new picture where a figure fits nothing that we know.

        Raises:
            PictureNeeded: so it is.
        """
        if observed.scope == "unknown" and self._has_base(row):
            raise PictureNeeded(
                "scope_unknown",
                f"entry {row.ledger_id}: the figure {plain(row.balance)} {row.asset} "
                f"is neither the wallet's nor the account's balance "
                f"(expected {plain(observed.balance)})",
            )

    def was_told(self, row: wire.UpdateRow) -> bool:
        """Whether an entry was told before on this connection."""
        return row.ledger_id is None or _fact(row) in self._ledger_ids

    def spared(self, bad: list[BadRow]) -> frozenset[tuple[str, ...]] | None:
        """Note the rows of a picture that cannot be read.

        Returns:
            Whose balances are not known; None if that cannot be told.
        """
        if any(row.asset is None for row in bad):
            return None
        codes = {(row.user, row.asset) for row in bad if row.asset is not None}
        named = {(user, self._names.display(code)) for user, code in codes}
        self._unreadable = frozenset(codes | named)
        return self._unreadable

    def _pocket(
        self, user: str, code: str, wallet: Wallet, asset_class: str | None
    ) -> Pocket:
        key = user, code, wallet, asset_class
        pocket = self._pockets.get(key)
        if pocket is None:
            pocket = self._pockets[key] = Pocket(
                user,
                wallet.wallet,
                wallet.wallet_id,
                self._names.display(code),
                code,
                asset_class or "currency",
            )
        return pocket


def _fact(row: wire.UpdateRow) -> str:
    return f"{row.user or ''}|{row.ledger_id}"


def _words(row: wire.UpdateRow) -> dict[str, str]:
    """Return the venue's words for an entry's wallet."""
    words = {"wallet_type": row.wallet_type, "wallet_id": row.wallet_id}
    return {name: word for name, word in words.items() if word}


def _only_wallet(row: wire.UpdateRow, asset: _Asset) -> Wallet:
    """Return the wallet of an entry that names none.

    Raises:
        FrameInvalid: the asset has several.
    """
    if len(asset.wallets) > 1:
        raise FrameInvalid(
            "wallet_unknown",
            f"entry {row.ledger_id} names no wallet and {row.asset} has several",
        )
    return next(iter(asset.wallets), UNNAMED)
