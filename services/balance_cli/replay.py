"""The command ``balancebus replay``: kept frames through today's code, byte for byte.

What is made of them and how it is compared is in `balance_connector.replay` and
`balance_connector.judgement`; here frames and events are read, partition by partition.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from balance_cli.quiet import progress, quiet
from balance_cli.tables import show
from balance_cli.times import time_of
from balance_connector.books import Account
from balance_connector.judgement import REASONS, Difference, Judgement, Telling
from balance_connector.replay import Replay
from balance_connector.venues import VENUES
from balance_schemas.keys import account_key, owner_of, partition_of
from balance_schemas.records import BalanceEvent, RawFrame, Record
from balance_schemas.topics import EVENTS, FRAMES, Topic
from balance_shared.errors import (
    BalanceBusError,
    BusInterrupted,
    ExitCode,
    RecordInvalid,
    SettingsError,
    exit_code,
)
from balance_shared.kafka import Incoming, Reader, decoded
from balance_shared.registry import Registry
from balance_shared.service import refuse
from balance_shared.settings import ServiceSettings, load

app = typer.Typer(add_completion=False)

R = TypeVar("R", bound=Record)

PATIENCE_S = 15.0
"""How long Kafka may take to answer, in seconds."""

_HEADER_BYTES = 5


class Format(StrEnum):
    """How the outcome is written."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events are judged.

    Attributes:
        venue: of this venue only; None: of all.
        account: of this account only; None: of all.
        since: that arrived then or later; None: from the first.
        until: that arrived before; None: to the last.
    """

    venue: str | None = None
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def names(self, key: str | None) -> bool:
        """Whether the account of a record's key is asked for."""
        venue, account = owner_of(key)
        named = self.venue in {None, venue} and self.account in {None, account}
        return venue in VENUES and named

    def partitions(self, count: int) -> range:
        """Return the partitions in which they lie, of so many."""
        if self.venue is None or self.account is None:
            return range(count)
        number = partition_of(account_key(self.venue, self.account), count)
        return range(number, number + 1)


@dataclass(slots=True)
class Outcome:
    """What came of a replay.

    Attributes:
        judgements: account key → judgement.
        unreadable: records that could not be decoded, and why.
    """

    judgements: dict[str, Judgement]
    unreadable: list[str]

    @property
    def differs(self) -> bool:
        """Whether an event is not as told, or a record cannot be read."""
        found = (judgement.differences for judgement in self.judgements.values())
        return bool(self.unreadable) or any(found)

    @property
    def says_nothing(self) -> bool:
        """Whether not one event could be judged, as of topics that are empty."""
        equal = sum(judgement.equal for judgement in self.judgements.values())
        return not (equal or self.differs)


@app.command()
def replay(
    venue: Annotated[str | None, typer.Option(help="Of this venue only.")] = None,
    account: Annotated[str | None, typer.Option(help="Of this account only.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", help="Events that arrived then or later: ISO 8601, UTC."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Events that arrived before: ISO 8601.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most differences to show.")] = 20,
    form: Annotated[
        Format, typer.Option("--format", help="JSON has every field.")
    ] = Format.TABLE,
) -> None:
    """Make the events again from the kept frames, and compare them byte for byte.

    Reads the topics as far as they reach back, whatever is asked for: what was known
    before decides what is told.

    Exit code 0: all that can be judged is equal; 1: something differs, or nothing could
    be judged; 2: wrong settings.
    """
    quiet()
    try:
        asked = Asked(
            _venue(venue), account, time_of("--from", since), time_of("--to", until)
        )
        outcome = asyncio.run(replayed(load(ServiceSettings), asked))
    except SettingsError as error:
        raise typer.Exit(refuse(error)) from None
    except BalanceBusError as error:
        typer.echo(f"balancebus: {error}", err=True)
        raise typer.Exit(exit_code(error)) from None
    (_write_json if form is Format.JSON else _write_table)(outcome, limit)
    raise typer.Exit(
        ExitCode.BUG if outcome.differs or outcome.says_nothing else ExitCode.DONE
    )


def _venue(name: str | None) -> str | None:
    if name is not None and name not in VENUES:
        known = ", ".join(VENUES)
        raise SettingsError(f"--venue: unknown venue {name!r}: one of {known}")
    return name


async def replayed(settings: ServiceSettings, asked: Asked) -> Outcome:
    """Replay what is asked for.

    Raises:
        SettingsError: the account that is asked for is not on the topics.
        BusInterrupted: Kafka does not answer, or has no such topics.
        PublishError: Kafka refuses us.
    """
    outcome = Outcome({}, [])
    with progress() as bars:
        async with (
            Registry(settings.schema_registry_url, PATIENCE_S) as registry,
            _Reading(settings, registry, FRAMES, bars) as frames,
            _Reading(settings, registry, EVENTS, bars) as events,
        ):
            for partition in asked.partitions(await frames.measure()):
                await events.measure()
                await _partition(partition, asked, frames, events, outcome)
    if asked.account is not None and not (outcome.judgements or outcome.unreadable):
        of = f" of {asked.venue}" if asked.venue else ""
        raise SettingsError(
            f"--account: no frames and no events of an account {asked.account!r}{of}"
        )
    return outcome


class _Reading:
    """One topic, partition by partition, up to its end as of the start."""

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        topic: Topic,
        bars: Progress,
    ) -> None:
        self._where = settings.kafka_bootstrap_servers
        self._registry = registry
        self._topic = topic
        self._reader = Reader(settings, [topic])
        self._bars = bars
        self._task = bars.add_task(topic.name, total=None)
        self._begins: Mapping[tuple[str, int], int] = {}
        self._ends: Mapping[tuple[str, int], int] = {}

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._reader.__aenter__()
        except TimeoutError:
            raise BusInterrupted(
                f"Kafka at {self._where} does not answer, or has no topic of "
                f"{self._topic.name} yet: create it with `balancebus topics apply`"
            ) from None
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._reader.__aexit__(*exc)

    async def measure(self) -> int:
        """Note where the partitions begin and end, once; return how many there are."""
        places = self._reader.places(self._topic)
        if not self._ends:
            self._begins = await self._reader.beginnings(places)
            self._ends = await self._reader.ends(places)
            count = sum(self._ends[place] - self._begins[place] for place in places)
            self._bars.update(self._task, total=count)
        return len(places)

    async def records(self, partition: int) -> AsyncIterator[Incoming]:
        """Yield the records of a partition."""
        place = self._reader.places(self._topic)[partition]
        begins = {place: self._begins[place]}
        async for batch in self._reader.read(begins, self._ends):
            for incoming in batch:
                yield incoming
            self._bars.advance(self._task, len(batch))

    async def decode(self, record_type: type[R], incoming: Incoming) -> R:
        """Return a record, decoded."""
        return await decoded(self._registry, record_type, incoming)


async def _partition(
    partition: int, asked: Asked, frames: _Reading, events: _Reading, outcome: Outcome
) -> None:
    """Replay the accounts of one partition."""
    judgements: dict[str, Judgement] = {}
    first: datetime | None = None

    def judgement_of(key: str) -> Judgement:
        if key not in judgements:
            venue, account = owner_of(key)
            replay = Replay(VENUES[venue], Account(venue, account))
            judgements[key] = Judgement(replay, asked.since, asked.until, first)
        return judgements[key]

    tellings = _tellings(partition, asked, events, outcome.unreadable)
    async for incoming in frames.records(partition):
        if not asked.names(incoming.key):
            continue
        try:
            frame = await frames.decode(RawFrame, incoming)
        except RecordInvalid as error:
            outcome.unreadable.append(str(error))
            continue
        first = first or frame.received_at
        judgement = judgement_of(frame.key)
        while judgement.needs(frame):
            telling = await anext(tellings, None)
            if telling is None:
                break
            judgement_of(_account(telling)).told(telling)
        judgement.frame(frame, (partition, incoming.offset))
    async for telling in tellings:
        judgement_of(_account(telling)).told(telling)
    for judgement in judgements.values():
        judgement.end()
    outcome.judgements |= judgements


async def _tellings(
    partition: int, asked: Asked, events: _Reading, unreadable: list[str]
) -> AsyncIterator[Telling]:
    async for incoming in events.records(partition):
        if not asked.names(incoming.key):
            continue
        try:
            event = await events.decode(BalanceEvent, incoming)
        except RecordInvalid as error:
            unreadable.append(str(error))
            continue
        body = (incoming.value or b"")[_HEADER_BYTES:]
        yield Telling(event, body, (partition, incoming.offset))


def _account(telling: Telling) -> str:
    return account_key(telling.event.venue, telling.event.account)


def _write_json(outcome: Outcome, limit: int) -> None:
    accounts = {
        key: {
            "frames": judgement.frames,
            "equal": judgement.equal,
            "different": len(judgement.differences),
            "unjudged": +judgement.unjudged,
            "differences": [_shown(one) for one in judgement.differences[:limit]],
        }
        for key, judgement in sorted(outcome.judgements.items())
    }
    told = {"accounts": accounts, "unreadable": outcome.unreadable}
    typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())


def _shown(found: Difference) -> dict[str, Any]:
    return {
        "what": found.what,
        "event_id": found.event.event_id,
        "key": found.event.key,
        "kind": found.event.kind,
        "received_at": found.event.received_at,
        "epoch": found.event.epoch,
        "told_at": found.told_at,
        "frame_at": found.frame_at,
        "frame_index": found.frame_index,
        "fields": {
            name: {"told": told, "today": made}
            for name, (told, made) in found.fields.items()
        },
    }


def _write_table(outcome: Outcome, limit: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("account", box=None)
    for name in ("frames", "equal", "different", "not judged"):
        table.add_column(name, justify="right")
    reasons: Counter[str] = Counter()
    found: list[Difference] = []
    for key, judgement in sorted(outcome.judgements.items()):
        reasons += judgement.unjudged
        found += judgement.differences
        counts = judgement.frames, judgement.equal, len(judgement.differences)
        table.add_row(escape(key), *map(str, (*counts, judgement.unjudged.total())))
    show(table, markup=True)
    for line in _lines(outcome, reasons, found, limit):
        console.print(line)


def _lines(
    outcome: Outcome, reasons: Counter[str], found: list[Difference], limit: int
) -> Iterator[str]:
    for reason, count in reasons.most_common():
        yield f"[yellow]{count} not judged[/]: {REASONS[reason]}"
    for text in outcome.unreadable[:limit]:
        yield f"[red]unreadable[/] {escape(text)}"
    for each in found[:limit]:
        yield from _difference_lines(each)
    if len(found) > limit:
        yield f"... and {len(found) - limit} more: --limit, or --format json"
    if outcome.differs:
        yield "[red]different[/]: today's code tells otherwise"
    elif outcome.says_nothing:
        yield "[yellow]nothing could be judged[/]"
    else:
        yield "[green]equal[/]: all that could be judged, byte for byte"


def _difference_lines(found: Difference) -> Iterator[str]:
    event = found.event
    yield ""
    yield (
        f"[red]{_WHAT[found.what]}[/] {escape(event.key)} {event.kind} "
        f"{event.received_at.isoformat()}"
    )
    yield f"  id {escape(event.event_id)}"
    yield f"  {_place('event', found.told_at)}, {_place('frame', found.frame_at)}"
    for name, (told, made) in found.fields.items():
        yield (
            f"  {escape(name)}: told [red]{escape(told) or 'nothing'}[/], "
            f"today [green]{escape(made) or 'nothing'}[/]"
        )
    if found.what == "changed" and not found.fields:
        yield "  all fields are equal: only their bytes differ"


def _place(what: str, place: tuple[int, int] | None) -> str:
    if place is None:
        return f"no {what}"
    return f"{what} at partition {place[0]}, offset {place[1]}"


_WHAT = {
    "changed": "changed",
    "missing": "made today, not told",
    "extra": "told, not made today",
    "order": "told in another order",
}
