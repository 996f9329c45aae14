"""Connecting to PostgreSQL, and telling what passes from what a setting has to mend.

The server says which of the two it is by an error code (28P01, 28000, 3D000), but libpq
does not hand on the code of a connection that fails: there is only the text. So the
server's own words are looked for, as they are in English. Who is refused in other words
or another language is taken for one who may come again: that is the safe mistake.
"""

import re
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from balance_shared.errors import SettingsError

_ATTEMPT = re.compile(r"^- host: ", re.MULTILINE)
"""How psycopg begins to say what became of each host, where there are several."""

_TRY = re.compile(r"connection to server (?:at|on) ")
"""How libpq begins to say what became of a host, with TLS and then without."""

_FINAL = re.compile(
    r'FATAL:  (?:role ".*" does not exist|database ".*" does not exist'
    r'|role ".*" is not permitted to log in|permission denied for database ".*"'
    r'|(?:password|certificate|Peer) authentication failed for user ".*"'
    r"|no pg_hba\.conf entry for |pg_hba\.conf rejects connection for )"
    r"|fe_sendauth: no password supplied"
)
"""What a server or libpq says to whom nothing but another setting helps."""


async def connected(
    dsn: str, *, autocommit: bool = False
) -> psycopg.AsyncConnection[TupleRow]:
    """Return a connection.

    Raises:
        SettingsError: there is no such role or database, or the password is wrong.
        psycopg.OperationalError: the database cannot be reached. Try again.
    """
    try:
        return await psycopg.AsyncConnection.connect(dsn, autocommit=autocommit)
    except psycopg.OperationalError as error:
        if wrong := refusal(error):
            raise wrong from error
        raise


def connected_at_once(dsn: str) -> psycopg.Connection[Any]:
    """Return a connection as `connected` does; blocking."""
    try:
        return psycopg.connect(dsn)
    except psycopg.OperationalError as error:
        if wrong := refusal(error):
            raise wrong from error
        raise


def refusal(error: psycopg.OperationalError) -> SettingsError | None:
    """Return what is wrong with the DSN; None: nothing, or it may be another time."""
    hosts = _ATTEMPT.split(str(error))
    if not all(map(_is_final, hosts[1:] or hosts)):
        return None
    said = " ".join(hosts[-1].split())
    return SettingsError(f"BALANCEBUS_POSTGRES_DSN: {said}")


def _is_final(said: str) -> bool:
    """Whether each try at a host was refused for good."""
    tries = _TRY.split(said)[1:]
    return bool(tries) and all(map(_FINAL.search, tries))
