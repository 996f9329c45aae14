"""A whole venue in one file, from outside the package: the example to start from.

Toyex numbers its frames. The first after the subscription is the picture, then come
updates, with heartbeats between them::

    {"n": 1, "balances": {"BTC": "1.5", "USD": "100"}}
    {"n": 2}
    {"n": 3, "line": {"id": "7", "asset": "BTC", "balance": "1.6", "change": "0.1"}}

REST answers ``/balances`` and ``/ledger`` in the same words. Any answer or frame may be
``{"error": "..."}``. A real venue has a folder with a file for each part.
"""

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import Books, Holding, Observed, Pocket, Told
from balance_connector.rows import UNREADABLE
from balance_connector.venue import (
    Credentials,
    Health,
    Picture,
    Request,
    Response,
    State,
    Step,
    Stretch,
    Venue,
)
from balance_shared.errors import (
    FrameInvalid,
    SequenceGap,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)


# Wire: what a frame or an answer says. Amounts stay raw until `amount_of` reads them.
class Line(msgspec.Struct):
    """One ledger line: the balance after it, and by how much it changed."""

    id: str
    asset: str
    balance: msgspec.Raw
    change: msgspec.Raw


class Frame(msgspec.Struct):
    """One frame or answer; what it does not have is None."""

    n: int | None = None
    error: str | None = None
    balances: dict[str, msgspec.Raw] | None = None
    line: Line | None = None
    lines: list[Line] | None = None


read = msgspec.json.Decoder(Frame).decode


# Meaning: the venue's words in ours.
@dataclass(frozen=True, slots=True)
class ToyOptions:
    """What the settings say: each field is filled from the setting of its name."""

    aliases: Mapping[str, str] = field(default_factory=dict)

    def pocket(self, code: str) -> Pocket:
        """Return which balance a code stands for; Toyex has one wallet."""
        return Pocket("", "spot", "main", self.aliases.get(code, code), code)

    def rows(self, balances: Mapping[str, msgspec.Raw]) -> list[Observed]:
        """Return the rows of a picture."""
        return [
            Observed(self.pocket(code), amount_of(raw))
            for code, raw in balances.items()
        ]

    def change(self, line: Line) -> Observed:
        """Return what a ledger line tells, with the id that makes it one fact."""
        return Observed(
            self.pocket(line.asset),
            amount_of(line.balance),
            delta=amount_of(line.change),
            venue_id=line.id,
        )


def signed(credentials: Credentials, text: str) -> dict[str, str]:
    """Return what proves that the key is ours."""
    sign = hmac.digest(credentials.secret.encode(), text.encode(), "sha256").hex()
    return {"key": credentials.key, "text": text, "sign": sign}


def get(credentials: Credentials, path: str, nonce: int) -> Request:
    """Return a signed call; its source is the path's last word."""
    return Request("GET", path, path[1:], signed(credentials, f"{nonce}{path}"))


def step_of(frame: bytes, take: Callable[[Frame], Step]) -> Step:
    """Return what follows from a frame or answer; whatever is wrong is in the step."""
    try:
        found = read(frame)
        if found.error is not None:
            raise VenueRefused(f"Toyex: {found.error}")
        return take(found)
    except UNREADABLE as error:
        invalid = FrameInvalid("invalid_frame", str(error))
        return Step(invalid=invalid, demand=invalid)
    except VenueError as error:
        return Step(demand=error)


def step_of_answer(response: Response, take: Callable[[Frame], Step]) -> Step:
    """Return what follows from an answer; a page of a proxy is no answer."""
    if not response.ok:
        return Step(demand=VenueUnavailable(f"Toyex: HTTP {response.status}"))
    return step_of(response.body, take)


class ToyStream:
    """One connection: the picture, then updates; a missing number is a gap."""

    def __init__(
        self,
        credentials: Credentials,
        options: ToyOptions,
        books: Books,
        tolerated: frozenset[str],
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._books = books
        self.sequence: int | None = None
        self.answered = self.synced = False
        self.health = Health(State.SYNCING, "waiting for the picture")

    def login(self, nonce: int, now: datetime) -> Request | None:
        """Nothing comes before the connection."""
        return None

    def open(self, answer: Response | None, nonce: int, now: datetime) -> Step:
        """Return the subscription."""
        proof = signed(self._credentials, f"{nonce}")
        return Step(send=(msgspec.json.encode({"subscribe": "balances", **proof}),))

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Toyex wants no pings."""
        return ()

    def passed(self, sequence: int) -> None:
        """Go on after a number."""
        self.sequence = sequence

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one frame."""
        return step_of(frame, lambda found: self._take(found, received_at))

    def _take(self, frame: Frame, received_at: datetime) -> Step:
        due = (self.sequence or 0) + 1
        if frame.n != due:
            raise SequenceGap(f"number {frame.n} came where {due} was due")
        self.sequence = due
        told = Told(received_at, due, f"{due}")
        if frame.balances is not None:
            events = self._books.picture(self._options.rows(frame.balances), told)
            self.synced, self.health = True, Health(State.LIVE)
            return Step(events, confirmed=True)
        if frame.line is not None:
            change = self._options.change(frame.line)
            return Step((self._books.update(change, told, 0),))
        return Step(keep=False)


class ToyPoll:
    """Polls: one call is the whole account; what is known decides nothing here."""

    def __init__(
        self, credentials: Credentials, options: ToyOptions, known: Collection[Holding]
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._asked = False

    def begin(self, now: datetime) -> None:
        """Start a round."""
        self._asked = False

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the one call of a round."""
        if self._asked:
            return None
        self._asked = True
        return get(self._credentials, "/balances", nonce)

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer."""
        return step_of_answer(response, self._picture)

    def _picture(self, answer: Frame) -> Step:
        if answer.balances is None:
            raise FrameInvalid("no_balances", "the answer names no balances")
        return Step(picture=Picture(self._options.rows(answer.balances)))


class ToyHistory:
    """The ledger of one stretch: Toyex always tells all of it, in one answer."""

    def __init__(
        self, credentials: Credentials, options: ToyOptions, stretch: Stretch
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._asked = False

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the one call; a real ledger is asked for the stretch."""
        if self._asked:
            return None
        self._asked = True
        return get(self._credentials, "/ledger", nonce)

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer; lines that the stream has told are left out later."""
        return step_of_answer(response, self._lines)

    def _lines(self, answer: Frame) -> Step:
        if answer.lines is None:
            raise FrameInvalid("no_lines", "the answer names no lines")
        return Step(lines=[self._options.change(line) for line in answer.lines])


TOYEX = Venue(
    name="toyex",
    ws_url="wss://toyex.example/stream",
    rest_url="https://toyex.example",
    options=ToyOptions,
    stream=ToyStream,
    poll=ToyPoll,
    history=ToyHistory,
    nonces_per_s=1_000_000,
    heartbeat_s=1.0,
    silence_s_max=5.0,
)
"""The row; a real one stands in ``VENUES``."""
