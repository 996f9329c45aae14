"""The command ``balancebus balances``: what was true when, by what was known when."""

import asyncio
import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import psycopg
import typer
from rich.table import Table

from balance_cli.tables import show
from balance_cli.times import ahead, time_of
from balance_schemas.decimals import plain
from balance_shared.errors import ExitCode, SettingsError
from balance_shared.service import refuse
from balance_shared.settings import StorageSettings, load
from balance_storage.as_of import Held, held_as_of

app = typer.Typer(add_completion=False)

_COLUMNS = tuple(field.name for field in fields(Held))


class Format(StrEnum):
    """How the balances are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.callback(invoke_without_command=True)
def balances(
    at: Annotated[
        str | None,
        typer.Option(help="What was true then: ISO 8601, UTC.", show_default="now"),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(help="By what was known then: ISO 8601, UTC.", show_default="now"),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="Of this account; may be repeated.", show_default="all"),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="CSV and JSON have every field.")
    ] = Format.TABLE,
) -> None:
    """Show stored balances as of two times, every digit of them.

    Facts learned late change what was true at a time, and never what was known then.
    Reads PostgreSQL (BALANCEBUS_POSTGRES_DSN); the role balancebus_reader suffices.
    """
    try:
        times = time_of("--at", at), time_of("--known-at", known_at)
        dsn = load(StorageSettings).postgres_dsn.get_secret_value()
        held = asyncio.run(held_as_of(dsn, *times, account or None))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        typer.echo(f"balancebus: PostgreSQL: {said}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    for note in ahead(*times, datetime.now(UTC)):
        typer.echo(f"balancebus: {note}", err=True)
    _WRITERS[form](held)


def _row(held: Held) -> dict[str, Any]:
    """Return the fields of a balance as texts; None stays."""
    return {name: _text(value) for name, value in asdict(held).items()}


def _text(value: Decimal | datetime | str | None) -> str | None:
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.isoformat()
        case _:
            return value


def _write_table(held: Sequence[Held]) -> None:
    table = Table("venue", "account", "wallet", "asset")
    table.add_column("balance", justify="right", no_wrap=True)
    table.add_column("available", justify="right", no_wrap=True)
    for name in ("kind", "since"):
        table.add_column(name)
    for one in held:
        row = _row(one)
        account = "/".join(filter(None, (one.account, one.subaccount)))
        wallet = "/".join(filter(None, (one.wallet, one.wallet_id)))
        since = f"{one.effective_at:%Y-%m-%d %H:%M:%S}"
        available = row["available"] or "?"
        cells = (one.venue, account, wallet, one.asset, row["balance"], available)
        table.add_row(*cells, one.kind, since)
    show(table)


def _write_csv(held: Sequence[Held]) -> None:
    writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(one) for one in held)


def _write_json(held: Sequence[Held]) -> None:
    rows = msgspec.json.encode([_row(one) for one in held])
    typer.echo(msgspec.json.format(rows).decode())


_WRITERS = {
    Format.TABLE: _write_table,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
}
