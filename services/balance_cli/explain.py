"""The command ``balancebus explain``: why is this figure this figure."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import psycopg
import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from balance_cli.quiet import quiet
from balance_cli.times import ahead, time_of
from balance_schemas.decimals import plain
from balance_shared.errors import (
    BusInterrupted,
    ExitCode,
    PublishError,
    SettingsError,
)
from balance_shared.service import refuse
from balance_shared.settings import StorageSettings, load
from balance_storage.evidence import explained, stored_frames
from balance_storage.explain import (
    Explanation,
    Fact,
    FrameAt,
    FrameName,
    Line,
    Step,
    frame_of,
)
from balance_storage.kept_frames import find_frames

app = typer.Typer(add_completion=False)

KAFKA_S = 20.0
"""How long the frames may be looked for in Kafka, in seconds."""

PAYLOAD_CHARS_MAX = 300
"""How much of a frame is shown; JSON has ten times as much."""


class Format(StrEnum):
    """How the explanation is written."""

    TREE = "tree"
    JSON = "json"


@app.command()
def explain(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="Balance key as on the topics, or parts of it: kraken|main|BTC.",
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(help="What was true then: ISO 8601, UTC.", show_default="now"),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(help="By what was known then: ISO 8601, UTC.", show_default="now"),
    ] = None,
    steps: Annotated[
        int, typer.Option(min=0, help="Most changes to show, the last ones.")
    ] = 20,
    frames: Annotated[
        bool, typer.Option(help="Look for the raw frames in Kafka too.")
    ] = True,
    form: Annotated[
        Format, typer.Option("--format", help="JSON has every field.")
    ] = Format.TREE,
) -> None:
    """Say why a figure is what it is, down to the venue's own messages.

    The picture it stands on, each change since with its ledger lines, comparisons
    with REST, the verdict of proof, and where the raw frames lie.

    Reads PostgreSQL (BALANCEBUS_POSTGRES_DSN; the role balancebus_reader suffices) and,
    for frames that are not stored there, Kafka. Exit code 0; 2 for wrong settings; 1 if
    PostgreSQL does not answer.
    """
    quiet()
    try:
        times = time_of("--at", at), time_of("--known-at", known_at)
        settings = load(StorageSettings)
        found = asyncio.run(_explained(settings, key, *times, steps, frames=frames))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        typer.echo(f"balancebus: PostgreSQL: {said}", err=True)
        raise typer.Exit(ExitCode.BUG) from None
    for note in ahead(*times, datetime.now(UTC)):
        typer.echo(f"balancebus: {note}", err=True)
    if form is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(_values(found))).decode())
    else:
        Console(highlight=False).print(_tree(found, steps))


async def _explained(
    settings: StorageSettings,
    key: str,
    at: datetime | None,
    known_at: datetime | None,
    steps: int,
    *,
    frames: bool,
) -> Explanation:
    """Return the explanation, with the frames of what is shown."""
    dsn = settings.postgres_dsn.get_secret_value()
    found = await explained(dsn, key, at, known_at)
    shown = [found.base, *(step.fact for step in _last(found.steps, steps))]
    names = [frame_of(fact) for fact in shown]
    stored = await stored_frames(dsn, found.key, names)
    missing = [name for name in names if name not in stored]
    sought: dict[FrameName, FrameAt | str] = {}
    if missing and frames:
        account = "|".join(found.key.split("|")[:2])
        sought = await _sought(settings, account, missing)
    return replace(found, frames={**stored, **sought})


async def _sought(
    settings: StorageSettings, account: str, names: Sequence[FrameName]
) -> dict[FrameName, FrameAt | str]:
    """Return what Kafka has; without it the rest of the explanation stands."""
    try:
        async with asyncio.timeout(KAFKA_S):
            return await find_frames(settings, account, names)
    except TimeoutError:
        why = f"Kafka did not answer for {KAFKA_S:.0f} s"
    except (BusInterrupted, PublishError) as error:
        why = f"Kafka: {error}"
    return dict.fromkeys(names, why)


def _last(steps: Sequence[Step], count: int) -> Sequence[Step]:
    return steps[len(steps) - count :] if count < len(steps) else steps


def _values(found: Explanation) -> dict[str, Any]:
    """Return all of it as JSON takes it; amounts are texts, every digit of them."""
    return {
        "key": found.key,
        "at": found.at,
        "known_at": found.known_at,
        "balance": plain(found.figure.balance),
        "adds_up": found.adds_up,
        "changes_not_told": found.untold,
        "base": _fact(found, found.base) | {"is_picture": found.stands_on_picture},
        "steps": [
            _fact(found, step.fact)
            | {
                "before": plain(step.before),
                "expected": _plain(step.expected),
                "residual": _plain(step.residual),
                "lines": [_texts(asdict(line)) for line in step.lines],
            }
            for step in found.steps
        ],
        "reconciliations": [_texts(asdict(one)) for one in found.compared],
        "proof": _judged(found),
    }


def _judged(found: Explanation) -> dict[str, Any] | None:
    if found.proof is None:
        return None
    return _texts(asdict(found.proof)) | {"of_this_figure": found.is_judged}


def _fact(found: Explanation, fact: Fact) -> dict[str, Any]:
    return _texts(asdict(fact)) | {"frame": _frame(found.frames.get(frame_of(fact)))}


def _frame(frame: FrameAt | str | None) -> Any:
    if not isinstance(frame, FrameAt):
        return frame
    start = frame.payload[: 10 * PAYLOAD_CHARS_MAX].decode(errors="replace")
    return asdict(frame) | {"payload": start}


def _texts(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
    }


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _tree(found: Explanation, steps: int) -> Tree:
    figure = found.figure
    asset = escape(found.key.rpartition("|")[2])
    tree = Tree(f"[bold]{escape(found.key)}[/]")
    tree.add(
        f"[bold cyan]{plain(figure.balance)} {asset}[/] since "
        f"{_time(figure.effective_at)}{_asked(found)}"
    )
    what = "stands on the picture" if found.stands_on_picture else "begins with"
    base = tree.add(f"{what} of {_time(found.base.received_at)}")
    for text in _base_lines(found):
        base.add(text)
    count = len(found.steps)
    later = tree.add(f"then {count} change{'' if count == 1 else 's'}")
    hidden = len(found.steps) - len(_last(found.steps, steps))
    if hidden:
        broken = sum(bool(step.residual) for step in found.steps[:hidden])
        later.add(f"[dim]{hidden} earlier ones, {broken} do not add up: --steps[/]")
    for step in _last(found.steps, steps):
        branch = later.add(_title(step))
        for text in _step_lines(found, step):
            branch.add(text)
    tree.add(_sum(found))
    tree.add(_proof(found))
    compared = tree.add(_compared(found))
    for text in _differences(found):
        compared.add(text)
    tree.add(_raw(found))
    return tree


def _asked(found: Explanation) -> str:
    at = f", as of {_time(found.at)}" if found.at else ""
    return at + (f", as known at {_time(found.known_at)}" if found.known_at else "")


def _base_lines(found: Explanation) -> Iterator[str]:
    base = found.base
    yield f"balance {plain(base.balance)}, {base.kind}, {_place(base)}"
    if found.stands_on_picture:
        number = (base.snapshot_index or 0) + 1
        yield f"number {number} of {base.snapshot_size} in the whole picture"
    else:
        yield "[yellow]no picture is stored: what came before is unknown[/]"
    yield _frame_line(found, base)


def _title(step: Step) -> str:
    fact = step.fact
    words = [line.type for line in step.lines if line.type]
    what = ", ".join(words) or fact.kind
    late = " [yellow]learned late[/]" if fact.kind == "backfill" else ""
    return f"{_time(fact.effective_at)} [bold]{escape(what)}[/]{late}"


def _step_lines(found: Explanation, step: Step) -> Iterator[str]:
    fact = step.fact
    if fact.delta is None:
        yield (
            f"balance {plain(fact.balance)}, {_signed(step.difference)}: "
            "the venue told no change"
        )
    else:
        yield (
            f"{plain(step.before)} {_signed(fact.delta)} = "
            f"{plain(step.expected or Decimal(0))}"
        )
        if step.residual:
            yield (
                f"[red]told as {plain(fact.balance)}: "
                f"{_signed(step.residual)} is not explained[/]"
            )
    for line in step.lines:
        yield _ledger_line(line)
    if fact.delta is not None and step.of_lines not in {None, fact.delta}:
        yield f"[red]its ledger lines make {plain(step.of_lines or Decimal(0))}[/]"
    if fact.balance_scope in {"account", "unknown"} and fact.reported_balance:
        told = plain(fact.reported_balance)
        yield f"the venue's figure {told} covers: {fact.balance_scope}"
    yield f"{fact.kind} {_place(fact)}"
    yield _frame_line(found, fact)


def _ledger_line(line: Line) -> str:
    told = {
        "amount": line.amount,
        "fee": line.fee,
        "change": line.change,
    }
    amounts = ", ".join(
        f"{name} {plain(amount)}" for name, amount in told.items() if amount is not None
    )
    name = line.movement_id or "without an id"
    return f"ledger line {escape(name)}: {amounts or 'no amounts were told'}"


def _sum(found: Explanation) -> str:
    start, end = plain(found.base.balance), plain(found.figure.balance)
    base = "picture" if found.stands_on_picture else "first fact"
    if found.adds_up:
        return (
            f"[green]adds up[/]: {base} {start} {_signed(found.change)} of changes "
            f"= {end}"
        )
    if found.adds_up is None:
        return (
            f"[yellow]cannot be added up[/]: the venue told no change for "
            f"{found.untold} of {len(found.steps)}; each balance is as it told it"
        )
    first = found.breaks[0]
    return (
        f"[red]does not add up[/]: {len(found.breaks)} of {len(found.steps)} changes, "
        f"first at {_time(first.fact.effective_at)} by {_signed(first.residual)}"
    )


def _proof(found: Explanation) -> str:
    proof = found.proof
    if proof is None:
        return "[dim]no verdict of proof is stored[/]"
    colour = {"PROVEN": "green", "VIOLATED": "red"}.get(proof.verdict, "yellow")
    through = f", through {_time(proof.proven_through)}" if proof.proven_through else ""
    reason = f": {escape(proof.reason)}" if proof.reason else ""
    other = ""
    if not found.is_judged:
        colour = "red" if colour == "red" else "yellow"
        observed = "" if proof.observed is None else f"{plain(proof.observed)} by "
        other = f" of another figure ({observed}{escape(proof.last_event_id)})"
    return (
        f"proof says [{colour}]{proof.verdict}{other}[/] by {proof.method}{through}"
        f"{reason} (of {_time(proof.checked_at)})"
    )


def _compared(found: Explanation) -> str:
    times = {one.requested_at: one.verdict for one in found.compared}
    if not times:
        return "[dim]not compared with REST since[/]"
    verdicts = list(times.values())
    counts = ", ".join(
        f"{verdicts.count(each)} {each}" for each in sorted(set(verdicts))
    )
    return f"compared with REST since: {counts}; last {_time(max(times))}"


def _differences(found: Explanation) -> Iterator[str]:
    for one in found.compared:
        if one.residual is not None:
            yield (
                f"[red]{_time(one.requested_at)}[/] REST {_plain(one.observed)}, "
                f"stream {_plain(one.streamed)}: {escape(one.cause or '')}"
            )


def _raw(found: Explanation) -> str:
    frame = found.frames.get(frame_of(found.figure))
    if not isinstance(frame, FrameAt):
        return "[dim]the frame of the figure is not at hand[/]"
    text = frame.payload[: 4 * PAYLOAD_CHARS_MAX].decode(errors="replace")
    more = "..." if len(text) > PAYLOAD_CHARS_MAX else ""
    return f"the venue's words: [dim]{escape(text[:PAYLOAD_CHARS_MAX])}{more}[/]"


def _frame_line(found: Explanation, fact: Fact) -> str:
    frame = found.frames.get(frame_of(fact))
    if isinstance(frame, FrameAt):
        return (
            f"frame {frame.index} ({escape(frame.source)}): {frame.topic}"
            f"[{frame.topic_partition}] at {frame.topic_offset}"
        )
    return f"[dim]frame: {escape(frame or 'not looked for')}[/]"


def _place(fact: Fact) -> str:
    return f"event {fact.topic}[{fact.topic_partition}] at {fact.topic_offset}"


def _signed(amount: Decimal | None) -> str:
    if amount is None:
        return "?"
    sign = "-" if amount < 0 else "+"
    return f"{sign} {plain(amount.copy_abs())}"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S.%f}"[:-3]
