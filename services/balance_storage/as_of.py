"""Reading: what was true at one time, by what was known at another.

The rule stands in `balance_storage.facts`, which says when each fact takes effect, and
in the comment of the SQL function ``balancebus.balances_as_of``, which finds them.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import TupleRow, class_row

from balance_shared.errors import SettingsError
from balance_storage.connecting import connected
from balance_storage.database import checked_dsn

_COLUMNS = (
    "venue, account, subaccount, wallet, wallet_id, asset, nature, kind, balance, "
    "available, effective_at, received_at, event_id"
)

_ALL = f"""
SELECT {_COLUMNS}
FROM balancebus.balances_as_of(
    coalesce(%(at)s, now()), coalesce(%(known_at)s, now())
)
WHERE %(accounts)s::text[] IS NULL OR account = ANY(%(accounts)s)
ORDER BY venue, account, subaccount, wallet, wallet_id, asset
"""  # noqa: S608 — column names are our own

_ONE = f"""
SELECT {_COLUMNS}
FROM balancebus.balance_as_of(
    %(key)s, coalesce(%(at)s, now()), coalesce(%(known_at)s, now())
)
"""  # noqa: S608 — column names are our own

_ACCOUNTS = """
SELECT unknown, (SELECT array_agg(DISTINCT account) FROM balancebus.accounts)
FROM unnest(%(accounts)s::text[]) AS unknown
WHERE unknown NOT IN (SELECT account FROM balancebus.accounts)
ORDER BY 1
"""

LISTED_MAX = 8
"""How many accounts are named where one is not known."""

_ABSENT = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
)


@dataclass(frozen=True, slots=True)
class Held:
    """One balance as of two times.

    Attributes:
        venue, account, subaccount, wallet, wallet_id, asset: which balance.
        nature: what may be summed with what: asset, liability, claim, unknown.
        kind: snapshot, update, absent (balance 0) or backfill (learned late).
        balance: in units of the asset, exact.
        available: part free to use, or None if the venue has not said.
        effective_at: since when it was so, UTC.
        received_at: when that was learned, UTC.
        event_id: the event that says so.
    """

    venue: str
    account: str
    subaccount: str
    wallet: str
    wallet_id: str
    asset: str
    nature: str
    kind: str
    balance: Decimal
    available: Decimal | None
    effective_at: datetime
    received_at: datetime
    event_id: str


async def held_as_of(
    dsn: str,
    at: datetime | None = None,
    known_at: datetime | None = None,
    accounts: Collection[str] | None = None,
) -> list[Held]:
    """Return the balances that were true at `at` by what was known at `known_at`.

    Args:
        dsn: libpq connection string or URL; the role balancebus_reader suffices.
        at: the venues' time, UTC; None: now.
        known_at: time of arrival, UTC; None: now.
        accounts: aliases of accounts; None: all.

    Returns:
        Balances by venue, account, subaccount, wallet and asset, zeros among them.

    Raises:
        SettingsError: nothing was ever stored of one of the accounts, the database
            has no such tables, or we may not read them.
        psycopg.OperationalError: the database cannot be reached.
    """
    named = None if accounts is None else sorted(accounts)
    values = {"at": at, "known_at": known_at, "accounts": named}
    async with _asking(dsn) as connection:
        cursor = await connection.execute(_ACCOUNTS, values)
        if unknown := await cursor.fetchone():
            raise SettingsError(_not_known(*unknown))
        return await _held(connection, _ALL, values)


async def held_of(
    dsn: str,
    key: str,
    at: datetime | None = None,
    known_at: datetime | None = None,
) -> Held | None:
    """Return one balance as `held_as_of` does; None if nothing is known of it then.

    Args:
        dsn: as there.
        key: its balance key.
        at: as there.
        known_at: as there.
    """
    values = {"key": key, "at": at, "known_at": known_at}
    async with _asking(dsn) as connection:
        found = await _held(connection, _ONE, values)
    return found[0] if found else None


def _not_known(name: str, stored: Sequence[str] | None) -> str:
    """Return what to say of an account of which nothing was ever stored."""
    known = stored or ()
    more = ", ..." if len(known) > LISTED_MAX else ""
    listed = ", ".join(sorted(known)[:LISTED_MAX]) + more
    return f"--account: no account {name!r}; stored are: {listed or 'none'}"


async def _held(
    connection: psycopg.AsyncConnection[TupleRow],
    query: LiteralString,
    values: Mapping[str, Any],
) -> list[Held]:
    """Return what a query finds."""
    cursor = connection.cursor(row_factory=class_row(Held))
    await cursor.execute(query, values)
    return await cursor.fetchall()


@asynccontextmanager
async def _asking(dsn: str) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
    """Give a connection that reads; the errors are those of `held_as_of`."""
    options = checked_dsn(dsn)
    async with await connected(options) as connection:
        await connection.execute("SET timezone = 'UTC'")
        try:
            yield connection
        except _ABSENT as error:
            raise SettingsError(
                "BALANCEBUS_POSTGRES_DSN: this database has no balances of this "
                "version: run `balancebus storage migrate`"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SettingsError(
                f"BALANCEBUS_POSTGRES_DSN: {error.diag.message_primary}: "
                "GRANT balancebus_reader to this user"
            ) from error
