"""The commands ``balancebus proof`` and ``balancebus proof status|ack|transit``."""

import asyncio
import difflib
import getpass
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from balance_cli.quiet import quiet
from balance_cli.tables import show
from balance_proof.service import run
from balance_schemas.decimals import plain
from balance_schemas.keys import account_key
from balance_schemas.records import (
    Acknowledgement,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Record,
)
from balance_schemas.topics import ACKNOWLEDGEMENTS, EVENTS, PROOFS, STATUS, Topic
from balance_shared.errors import (
    BalanceBusError,
    BusInterrupted,
    SettingsError,
    exit_code,
)
from balance_shared.kafka import (
    Incoming,
    Producer,
    Reader,
    apply_topics,
    decoded,
    outgoing,
)
from balance_shared.matching import WINDOW, Leg
from balance_shared.registry import Registry
from balance_shared.service import refuse, run_service
from balance_shared.settings import ProofSettings, ServiceSettings, load
from balance_shared.transit import Transits
from balance_shared.watermark import WORST_FIRST, Standing, standings, watermark

app = typer.Typer(add_completion=False)

R = TypeVar("R", bound=Record)
T = TypeVar("T")

REACH_S = 15.0
"""How long Kafka may take to answer at first, in seconds."""

PATIENCE_S = 60.0
"""How long Kafka and registry may take, in seconds."""

VIOLATED = "VIOLATED"

_STYLES = {"PROVEN": "green", "UNPROVEN": "yellow", VIOLATED: "bold red"}


class Format(StrEnum):
    """How the outcome is written."""

    TABLE = "table"
    JSON = "json"


_Form = Annotated[Format, typer.Option("--format", help="How to write it.")]


@app.callback(invoke_without_command=True)
def proof(context: typer.Context) -> None:
    """Prove every balance by pictures, ledger lines and REST, and publish the verdict.

    Any number of instances may run; they share the accounts.

    Exit codes: 0 asked to stop, 2 bad settings, 4 the bus is lost for good, 1 a bug.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        settings = load(ProofSettings)
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    raise typer.Exit(run_service("proof", settings, partial(run, settings)))


@app.command()
def status(form: _Form = Format.TABLE) -> None:
    """Show up to when each account and the whole firm are proven, and what is not."""
    proofs, found = _run(_standings)
    bad = sorted(
        (one for one in proofs if one.verdict != "PROVEN"),
        key=lambda one: (WORST_FIRST.index(one.verdict), one.key),
    )
    through = watermark(found)
    if form is Format.JSON:
        told = {
            "watermark": through,
            "accounts": [_account_told(one) for one in found],
            "not_proven": [_proof_told(one) for one in bad],
        }
        typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    show(_accounts_table(found), markup=True)
    if bad:
        show(_proofs_table(bad), markup=True)
    if through is not None:
        typer.echo(f"complete and proven up to {_time(through)}")
    else:
        held = [f"{one.venue} {one.account}" for one in found if one.through is None]
        typer.echo(f"not proven as a whole: {', '.join(held) or 'no account is known'}")


@app.command()
def ack(
    key: Annotated[str, typer.Argument(help="Balance key, as `proof status` has it.")],
    note: Annotated[str, typer.Option(help="Why this is settled.")],
    by: Annotated[
        str | None, typer.Option(help="Who says so.", show_default="you")
    ] = None,
) -> None:
    """Settle what does not add up of a balance, up to its last verdict.

    The note is kept on the bus. What does not add up afterwards is a new violation.
    """

    async def acknowledge(
        settings: ServiceSettings, registry: Registry
    ) -> BalanceProof:
        proofs, _ = await _standings(settings, registry)
        proof = _violated(key, proofs)
        await apply_topics(settings, [ACKNOWLEDGEMENTS], correct=False)
        async with Producer(settings, registry, [ACKNOWLEDGEMENTS]) as producer:
            record = _acknowledgement(proof, by or getpass.getuser(), note)
            account = account_key(proof.venue, proof.account)
            now_ms = int(time.time() * 1000)
            await producer.publish(
                [outgoing(ACKNOWLEDGEMENTS, account, record, now_ms)]
            )
        return proof

    proof = _run(acknowledge)
    amount = "?" if proof.residual is None else plain(proof.residual)
    typer.echo(f"settled {amount} {proof.asset} up to {_time(proof.checked_at)}: {key}")


@app.command()
def transit(form: _Form = Format.TABLE) -> None:
    """List what has left an account and is not seen at another one yet.

    Reads the events of the last days. A withdrawal to somebody else is in the list,
    too, until it is three days old: no venue says whom an address belongs to.
    """
    now = datetime.now(UTC)
    legs = _run(partial(_open_transits, now=now))
    if form is Format.JSON:
        told = [_leg_told(one) for one in legs]
        typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    table = Table("left", "age", "account", "asset")
    table.add_column("amount", justify="right", no_wrap=True)
    for leg in legs:
        age = str(now - leg.at).split(".")[0]
        table.add_row(
            _time(leg.at),
            age,
            escape(leg.account),
            escape(leg.asset),
            plain(leg.amount),
        )
    show(table, markup=True)


def _run(ask: Callable[[ServiceSettings, Registry], Awaitable[T]]) -> T:
    """Return what is found with settings and registry, or exit with one line."""

    async def asked(settings: ServiceSettings) -> T:
        async with (
            asyncio.timeout(PATIENCE_S),
            Registry(settings.schema_registry_url, PATIENCE_S) as registry,
        ):
            return await ask(settings, registry)

    quiet()
    try:
        settings = load(ServiceSettings)
        return asyncio.run(asked(settings))
    except TimeoutError:
        where = settings.kafka_bootstrap_servers
        error: BalanceBusError = BusInterrupted(
            f"Kafka at {where} does not answer, or has no topics yet: create them with "
            "`balancebus topics apply`"
        )
        raise _exit(error) from None
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except BalanceBusError as error:
        raise _exit(error) from None


def _exit(error: BalanceBusError) -> typer.Exit:
    typer.echo(f"balancebus: {error}", err=True)
    return typer.Exit(exit_code(error))


async def _standings(
    settings: ServiceSettings, registry: Registry
) -> tuple[list[BalanceProof], list[Standing]]:
    """Return the last verdict on each balance of the known accounts, and the sums."""
    async with Reader(settings, [PROOFS, STATUS], REACH_S) as reader:
        proofs = await _last(reader, registry, PROOFS, BalanceProof)
        states = await _last(reader, registry, STATUS, ConnectorStatus)
    accounts = {(one.venue, one.account) for one in states}
    known = [one for one in proofs if (one.venue, one.account) in accounts]
    return known, standings(known, accounts)


async def _last(
    reader: Reader, registry: Registry, topic: Topic, record_type: type[R]
) -> list[R]:
    """Return the last record of each key of a compacted topic."""
    places = reader.places(topic)
    begins, ends = await reader.beginnings(places), await reader.ends(places)
    last: dict[str, Incoming] = {}
    async for batch in reader.read(begins, ends):
        last |= {one.key or "": one for one in batch}
    return [
        await decoded(registry, record_type, one)
        for one in last.values()
        if one.value is not None
    ]


async def _open_transits(
    settings: ServiceSettings, registry: Registry, now: datetime
) -> tuple[Leg, ...]:
    transits = Transits()
    async with Reader(settings, [EVENTS], REACH_S) as reader:
        async for event in _recent(reader, registry, now):
            transits.take(event)
    return transits.open(now)


async def _recent(
    reader: Reader, registry: Registry, now: datetime
) -> AsyncIterator[BalanceEvent]:
    """Yield the events that a transfer may still hang on."""
    places = reader.places(EVENTS)
    begins = await reader.since(dict.fromkeys(places, now - 2 * WINDOW))
    async for batch in reader.read(begins, await reader.ends(places)):
        for one in batch:
            yield await decoded(registry, BalanceEvent, one)


def _violated(key: str, proofs: Sequence[BalanceProof]) -> BalanceProof:
    """Return the proof of a violated balance.

    Raises:
        SettingsError: there is no such balance, or nothing to settle.
    """
    by_key = {proof.key: proof for proof in proofs}
    found = by_key.get(key)
    if found is None:
        close = difflib.get_close_matches(key, by_key, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise SettingsError(f"no verdict on {key!r}{hint}")
    if found.verdict != VIOLATED:
        raise SettingsError(f"{key} is {found.verdict}: there is nothing to settle")
    return found


def _acknowledgement(proof: BalanceProof, by: str, note: str) -> Acknowledgement:
    return Acknowledgement(
        venue=proof.venue,
        account=proof.account,
        subaccount=proof.subaccount,
        wallet=proof.wallet,
        wallet_id=proof.wallet_id,
        asset=proof.asset,
        through=proof.checked_at,
        acknowledged_at=datetime.now(UTC),
        by=by,
        note=note,
        residual=proof.residual,
    )


def _accounts_table(found: Sequence[Standing]) -> Table:
    table = Table("venue", "account")
    for verdict in reversed(WORST_FIRST):
        table.add_column(verdict.lower(), justify="right")
    table.add_column("proven through")
    table.add_column("held by")
    for one in found:
        counts = [str(one.counts.get(verdict, 0)) for verdict in reversed(WORST_FIRST)]
        through = _time(one.through) if one.through else "never"
        held_by = _balance(one.held_by) if one.held_by else "no balance is known"
        table.add_row(one.venue, one.account, *counts, through, escape(held_by))
    return table


def _proofs_table(proofs: Sequence[BalanceProof]) -> Table:
    table = Table("verdict", "key")
    for name in ("expected", "observed", "residual"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reason")
    for one in proofs:
        figures = one.expected, one.observed, one.residual
        cells = ["" if figure is None else plain(figure) for figure in figures]
        verdict = f"[{_STYLES[one.verdict]}]{one.verdict}[/]"
        table.add_row(verdict, escape(one.key), *cells, escape(one.reason))
    return table


def _balance(proof: BalanceProof) -> str:
    wallet = "/".join(filter(None, (proof.wallet, proof.wallet_id)))
    return " ".join(filter(None, (proof.subaccount, wallet, proof.asset)))


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _account_told(one: Standing) -> dict[str, Any]:
    return {
        "venue": one.venue,
        "account": one.account,
        "verdicts": one.counts,
        "proven_through": one.through,
        "held_by": one.held_by.key if one.held_by else None,
    }


def _proof_told(one: BalanceProof) -> dict[str, Any]:
    figures = {
        name: None if amount is None else plain(amount)
        for name, amount in (
            ("expected", one.expected),
            ("observed", one.observed),
            ("residual", one.residual),
        )
    }
    return {
        "key": one.key,
        "verdict": one.verdict,
        "method": one.method,
        "reason": one.reason,
        **figures,
        "proven_through": one.proven_through,
        "checked_at": one.checked_at,
        "last_event_id": one.last_event_id,
    }


def _leg_told(leg: Leg) -> dict[str, Any]:
    return {
        "left_at": leg.at,
        "account": leg.account,
        "key": leg.key,
        "asset": leg.asset,
        "amount": plain(leg.amount),
        "event_id": leg.event_id,
    }
