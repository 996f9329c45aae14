"""What a frame of the stream says, with every digit and every position.

Events are JSON objects. Everything else is an array, whose last elements depend on the
flags that the venue acknowledged (page ws-general "Configuration", and frames captured
in 2026):

- no flag: ``[0,TYPE,PAYLOAD]``, heartbeat ``[0,"hb"]``
- SEQ_ALL: ``[0,TYPE,PAYLOAD,MSG_SEQ,ACCOUNT_SEQ]``, ``[0,"hb",MSG_SEQ]``
- TIMESTAMP too: ``[0,TYPE,PAYLOAD,MSG_SEQ,ACCOUNT_SEQ,MTS]``, ``[0,"hb",MSG_SEQ,MTS]``

Other channels have MSG_SEQ alone. Elements are counted from the front: ACCOUNT_SEQ,
which jumps and repeats, must never be taken for MSG_SEQ. A frame may leave a number
out: what can only be a time is MTS, wherever it stands. A wallet array has three
positions or more (page "Wallets"; the venue may append some at any time).
"""

import re
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import AVAILABLE, is_calculated
from balance_connector.rows import (
    MS_MIN,
    TEXT_CHARS_MAX,
    UNREADABLE,
    BadRow,
    normalized,
    text_of,
)
from balance_schemas.decimals import AmountUnfitError
from balance_shared.errors import FrameInvalid

TIMESTAMP = 32_768
SEQ_ALL = 65_536
FLAGS = SEQ_ALL | TIMESTAMP
"""The flags that we ask for."""

HEARTBEAT = "hb"
NOTICE = "n"

NAME_CHARS_MAX = 200
"""Most characters of a wallet's word or a currency's code."""

_DIGITS_MAX = 18
_TYPE, _PAYLOAD, _AFTER_PAYLOAD = 1, 2, 3
_BALANCE, _INTEREST, _AVAILABLE, _DESCRIPTION, _META = 2, 3, 4, 5, 6
_POSITIONS_MIN = 3
_NAMES = {_INTEREST: "unsettled_interest", _AVAILABLE: AVAILABLE}

_value: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    list[msgspec.Raw] | dict[str, msgspec.Raw]
)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_number = re.compile(rb"\d{1,%d}" % _DIGITS_MAX).fullmatch
_code = re.compile(r"[0-9]{1,9}").fullmatch
_surrogates = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
).sub

Value = list[msgspec.Raw] | dict[str, msgspec.Raw]
"""An array's elements or an object's fields."""


def code_of(value: Any) -> int | None:
    """Return a code sent as a number or as a text of digits; None for any other."""
    if isinstance(value, str) and _code(value):
        return int(value)
    return value if type(value) is int else None


class Event(NamedTuple):
    """An event object; values other than texts and whole numbers are None."""

    name: str
    fields: dict[str, msgspec.Raw]

    def number(self, name: str) -> int | None:
        """Return a field sent as a number or as digits, else None."""
        return code_of(self.value(name))

    def text(self, name: str) -> str:
        """Return a field as text, "" where there is none."""
        value = self.value(name)
        if isinstance(value, str):
            return value
        return "" if value is None else bytes(self.fields[name]).decode()

    def value(self, name: str) -> Any:
        """Return a field as a value, None where it cannot be read."""
        try:
            return msgspec.json.decode(self.fields.get(name, b"null"))
        except UNREADABLE:
            return None


class Array(NamedTuple):
    """An array frame.

    Attributes:
        channel: 0 is the account's.
        kind: such as ``wu``; "" where the frame has none.
        payload: its JSON; empty for heartbeats.
        sequence: MSG_SEQ, None where there is none.
        account_sequence: ACCOUNT_SEQ as sent, None where there is none.
        time_ms: MTS, milliseconds since 1970; None where there is none.
    """

    channel: int
    kind: str
    payload: msgspec.Raw
    sequence: int | None = None
    account_sequence: str | None = None
    time_ms: int | None = None


class WalletRow(NamedTuple):
    """One wallet array.

    Attributes:
        word: the venue's word for the wallet.
        code: the venue's code of the currency.
        balance: in units of the currency; may be below zero.
        available: the part that is not tied up; None: not calculated, or a figure that
            fits no record: then it is in the attributes.
        description: of the ledger entry, None if there is none.
        meta: JSON of why, as sent; None if there is none.
        attributes: all other positions that are not null, as sent.
    """

    word: str
    code: str
    balance: Decimal
    available: Decimal | None
    description: str | None
    meta: str | None
    attributes: dict[str, str]

    @property
    def is_calculated(self) -> bool:
        """Whether it says what is available."""
        return is_calculated(self)


def read_frame(frame: bytes) -> Event | list[msgspec.Raw]:
    """Return an event, or the elements of an array.

    Raises:
        FrameInvalid: it is neither.
    """
    try:
        read = read_value(frame)
        if isinstance(read, list):
            return read
        return Event(_text.decode(read.get("event", b'""')), read)
    except UNREADABLE as error:
        raise FrameInvalid("invalid_json", str(error)) from None


def read_value(body: bytes) -> Value:
    """Return the elements of an array or the fields of an object.

    Raises:
        one of `UNREADABLE`: it is neither.
    """
    try:
        value: Value = _value.decode(body)
    except UNREADABLE:
        value = _value.decode(normalized(_surrogates(_mended, body)))
    return value


def _mended(surrogates: re.Match[bytes]) -> bytes:
    """Return a pair as it is, and U+FFFD for a half of one.

    Halves are what is left of a text that was cut; it hides no balance.
    """
    return surrogates[1] or rb"\ufffd"


def read_array(items: list[msgspec.Raw], flags: int) -> Array:
    """Return an array frame, its last elements by the flags.

    A number that is not there is None; the caller knows whether it was due.

    Raises:
        FrameInvalid: no channel, no payload, or an element that is no number.
    """
    try:
        return _read_array(items, flags)
    except UNREADABLE as error:
        raise FrameInvalid("invalid_frame", str(error)) from None


def _read_array(items: list[msgspec.Raw], flags: int) -> Array:
    channel = _whole(items, 0)
    if channel is None or len(items) <= _TYPE:
        raise FrameInvalid("invalid_frame", "no channel, or nothing after it")
    kind = _text.decode(items[_TYPE]) if bytes(items[_TYPE])[:1] == b'"' else ""
    at = _PAYLOAD if kind == HEARTBEAT or not kind else _AFTER_PAYLOAD
    if len(items) < at or (channel == 0 and not kind):
        raise FrameInvalid("invalid_frame", f"an array of {kind!r} without payload")
    payload = msgspec.Raw(b"") if kind == HEARTBEAT else items[at - 1]
    timed = bool(flags & TIMESTAMP)
    if not flags & SEQ_ALL:
        return Array(channel, kind, payload, time_ms=_time(items, at, timed))
    if kind == NOTICE:
        return _notice(items, timed)
    sequence = account = None
    if not _is_time(items, at, timed):
        sequence, at = _whole(items, at), at + 1
    if channel == 0 and kind != HEARTBEAT and not _is_time(items, at, timed):
        account, at = text_of(items[at]) if at < len(items) else None, at + 1
    return Array(channel, kind, payload, sequence, account, _time(items, at, timed))


def _notice(items: list[msgspec.Raw], timed: bool) -> Array:
    """Return a frame of type ``n``, which may have one number or both, or none."""
    at = _AFTER_PAYLOAD
    sequence = None if _is_time(items, at, timed) else _digits(items, at)
    return Array(0, NOTICE, items[_PAYLOAD], sequence)


def _whole(items: list[msgspec.Raw], at: int) -> int | None:
    return read_whole(items[at]) if at < len(items) else None


def read_whole(raw: msgspec.Raw) -> int:
    """Return a whole number that is not below zero.

    Raises:
        ValueError: it is none, or has more than 18 digits.
    """
    body = bytes(raw)
    if not _number(body):
        raise ValueError(f"{body[:40]!r} is no whole number")
    return int(body)


def _is_time(items: list[msgspec.Raw], at: int, timed: bool) -> bool:
    """Whether an element in the place of a number can only be the time."""
    return (_time(items, at, timed) or 0) >= MS_MIN


def _time(items: list[msgspec.Raw], at: int, timed: bool) -> int | None:
    return _digits(items, at) if timed else None


def _digits(items: list[msgspec.Raw], at: int) -> int | None:
    """Return an element that is a whole number, None where it is none."""
    if at >= len(items) or not _number(bytes(items[at])):
        return None
    return int(bytes(items[at]))


def read_rows(payload: msgspec.Raw) -> list[WalletRow | BadRow]:
    """Return the wallet arrays of a payload: a list of them, or one alone.

    Raises:
        FrameInvalid: it is no list.
    """
    try:
        return read_elements(_items.decode(payload))
    except UNREADABLE as error:
        text = f"the payload is no list: {error}"
        raise FrameInvalid("invalid_frame", text) from None


def read_elements(items: list[msgspec.Raw]) -> list[WalletRow | BadRow]:
    """Return the wallet arrays of a list of them, or of one alone."""
    if items and bytes(items[0])[:1] == b'"':
        return [read_row(items)]
    return [_read_one(raw) for raw in items]


def _read_one(raw: msgspec.Raw) -> WalletRow | BadRow:
    try:
        return read_row(_items.decode(raw))
    except UNREADABLE as error:
        return BadRow("", None, str(error))


def read_row(items: list[msgspec.Raw]) -> WalletRow | BadRow:
    """Return one wallet array, or what is wrong with it."""
    try:
        word, code = map(read_name, items[:_BALANCE])
    except UNREADABLE as error:
        return BadRow("", None, str(error))
    try:
        return _read_wallet(word, code, items)
    except UNREADABLE as error:
        return BadRow("", code, str(error), word)


def read_name(raw: msgspec.Raw) -> str:
    """Return a wallet's word or a currency's code.

    Raises:
        one of `UNREADABLE`: it is no text, or empty, or endless.
    """
    name = _text.decode(raw)
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise ValueError(f"a name of {len(name)} characters")
    return name


def _read_wallet(word: str, code: str, items: list[msgspec.Raw]) -> WalletRow:
    """Return one wallet array.

    Raises:
        one of `UNREADABLE`: a figure cannot be read, or the texts are too long.
    """
    if len(items) < _POSITIONS_MIN:
        raise ValueError(f"{len(items)} positions where {_POSITIONS_MIN} are due")
    if sum(len(bytes(raw)) for raw in items) > TEXT_CHARS_MAX:
        raise ValueError(f"the row is longer than {TEXT_CHARS_MAX} bytes")
    balance = amount_of(items[_BALANCE])
    told = {
        at: raw
        for at, raw in enumerate(items[_INTEREST:], start=_INTEREST)
        if bytes(raw) != b"null"
    }
    available = _available(told)
    description = told.pop(_DESCRIPTION, None)
    meta = told.pop(_META, None)
    attributes = {_NAMES.get(at, str(at)): text_of(raw) for at, raw in told.items()}
    return WalletRow(
        word,
        code,
        balance,
        available,
        None if description is None else text_of(description),
        None if meta is None else bytes(meta).decode(),
        attributes,
    )


def _available(told: dict[int, msgspec.Raw]) -> Decimal | None:
    """Take what is available out of the positions, unless it fits no record.

    The venue calculates it with more digits than it books: that must not hide the
    balance.

    Raises:
        ValueError: it is no amount.
    """
    try:
        amount = amount_of(told[_AVAILABLE]) if _AVAILABLE in told else None
    except AmountUnfitError:
        return None
    told.pop(_AVAILABLE, None)
    return amount


def read_meta(meta: str) -> dict[str, str]:
    """Return the fields of a META as texts; one that is no object as ``meta``."""
    try:
        fields = _fields.decode(meta)
    except UNREADABLE:
        return {"meta": meta}
    return {
        name: words_of(raw) for name, raw in fields.items() if bytes(raw) != b"null"
    }


def words_of(raw: msgspec.Raw) -> str:
    """Return a text, anything else as it was sent; never raises.

    For what says something about a figure, or an error, and is none itself.
    """
    try:
        return text_of(raw)
    except UNREADABLE:
        return bytes(raw).decode(errors="replace")
