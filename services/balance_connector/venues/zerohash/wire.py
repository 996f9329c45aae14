"""What messages and answers say, with every digit and every field.

Balances and changes are texts in many forms (``"1.00"``, ``".25"``, 18 decimals); they
become `Decimal` from that text. A long list is read in one go where it is as
documented, else row by row. What a balance hangs on (the account's names, the figure)
is strict; all else is kept as text. The stream says ``participant_code`` where REST
says ``account_owner``. Source: page "Balances" (private socket feed), OpenAPI 1.7.0
(``GET /accounts``, ``GET /accounts/{account_id}/run_history``).
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import REFERENCE
from balance_connector.rows import (
    TEXT_CHARS_MAX,
    UNREADABLE,
    BadRow,
    decoded,
    text_of,
)
from balance_connector.venues.zerohash.accounts import (
    DEFAULT_LABEL,
    Key,
    subaccount_of,
)
from balance_shared.errors import FrameInvalid

NAME_CHARS_MAX = 1_000
"""Most characters of an account's names together."""

UPDATE_BYTES_MAX = 400_000
"""Most bytes of an update: with all its movements it has to fit a record."""

_MISSING = msgspec.Raw(b"null")


class Envelope(msgspec.Struct):
    """The outside of every message; ``body`` is read when the type is known."""

    kind: str | None = msgspec.field(default=None, name="messageType")
    body: msgspec.Raw = _MISSING
    error: Any = None
    errors: Any = None
    message: Any = None


class Page(msgspec.Struct):
    """One page of a REST answer; ``message`` holds the rows."""

    message: msgspec.Raw
    page: int | None = None
    total_pages: int | None = None


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    account_type: str
    asset: str
    account_group: str
    balance: msgspec.Raw
    participant_code: str | None = None
    account_owner: str | None = None
    account_label: str | None = None
    account_id: int | str | None = None
    run_id: int | str | None = None
    run_type: str | None = None
    last_update: int | None = None


class Read(NamedTuple):
    """An account that was read: which, its balance, and what else was told of it."""

    key: Key
    balance: Decimal
    reference: str
    attributes: dict[str, str]


class Update(NamedTuple):
    """An account after a run: what was read of it, of the run and of its movements."""

    read: Read
    run_id: str
    run_timestamp: msgspec.Raw
    movements: msgspec.Raw

    @property
    def content(self) -> int:
        """Names what was told, so that a repetition can be told from a change."""
        told = self.read.balance, bytes(self.run_timestamp), bytes(self.movements)
        return hash(told)


_NAMES = ("account_type", "asset", "account_group", "participant_code", "account_owner")
_OWN = frozenset({*_NAMES, "account_label", "balance", REFERENCE})

_envelope = msgspec.json.Decoder(Envelope)
_page = msgspec.json.Decoder(Page, strict=False)
_accounts = msgspec.json.Decoder(list[_Row])
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_envelope(frame: bytes) -> Envelope:
    """Return the outside of a message.

    Raises:
        FrameInvalid: not a JSON object, or its type is no text.
    """
    try:
        return decoded(_envelope, frame)
    except msgspec.ValidationError as error:
        raise FrameInvalid("invalid_frame", str(error)) from None
    except UNREADABLE as error:
        raise FrameInvalid("invalid_json", str(error)) from None


def read_page(body: bytes) -> Page:
    """Return a page of a REST answer.

    Raises:
        FrameInvalid: it is not as documented.
    """
    try:
        return decoded(_page, body)
    except UNREADABLE as error:
        raise FrameInvalid("invalid_answer", str(error)) from None


def read_accounts(body: msgspec.Raw) -> Iterator[Read | BadRow]:
    """Yield the accounts of a picture or page, in order.

    Raises:
        FrameInvalid: `body` is not a list.
    """
    try:
        rows = _accounts.decode(body)
    except UNREADABLE:
        return _one_by_one(read_rows(body), _read_fields)
    return _one_by_one(rows, _read_row)


def read_rows(body: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the rows of a list as they are.

    Raises:
        FrameInvalid: `body` is not a list.
    """
    try:
        return _rows.decode(body)
    except UNREADABLE as error:
        raise FrameInvalid("invalid_frame", f"no list of rows: {error}") from None


def read_update(body: msgspec.Raw) -> Update | BadRow:
    """Return what an update says, or why it cannot be read."""
    fields: dict[str, msgspec.Raw] = {}
    try:
        size = memoryview(body).nbytes
        if size > UPDATE_BYTES_MAX:
            raise ValueError(f"an update of {size} bytes")
        fields = _fields.decode(body)
        run_timestamp = fields.pop("run_timestamp", _MISSING)
        movements = fields.pop("movements", _MISSING)
        read = _read(fields)
    except UNREADABLE as error:
        return _bad(fields, error)
    return Update(read, read.attributes.get("run_id", ""), run_timestamp, movements)


def read_fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the members of an object; `UNREADABLE` if it is none."""
    return _fields.decode(raw)


def _one_by_one(
    rows: Iterable[Any], read: Callable[[Any], Read | BadRow]
) -> Iterator[Read | BadRow]:
    return (read(row) for row in rows)


def _read_row(row: _Row) -> Read | BadRow:
    """Return a row of which only the figure and the length of texts are unchecked."""
    owner = row.participant_code or row.account_owner or ""
    label = row.account_label
    if label is None:
        label = DEFAULT_LABEL
    key = (
        subaccount_of(owner, row.account_group, label),
        sys.intern(row.account_type),
        sys.intern(row.asset),
    )
    attributes = {}
    reference = "" if row.account_id is None else str(row.account_id)
    if reference:
        attributes[REFERENCE] = reference
    if row.run_id is not None:
        attributes["run_id"] = str(row.run_id)
    if row.run_type is not None:
        attributes["run_type"] = sys.intern(row.run_type)
    if row.last_update is not None:
        attributes["last_update"] = str(row.last_update)
    try:
        _check(owner, key)
        if row.account_owner is not None:
            _check_owners(row.participant_code, row.account_owner)
        if len(reference) + len(row.run_type or "") > NAME_CHARS_MAX:
            _check_length(attributes)
        return Read(key, amount_of(row.balance), reference, attributes)
    except UNREADABLE as error:
        return _bad_account(row.participant_code, row.account_owner, key, error)


def _read_fields(raw: msgspec.Raw) -> Read | BadRow:
    fields: dict[str, msgspec.Raw] = {}
    try:
        fields = _fields.decode(raw)
        return _read(fields)
    except UNREADABLE as error:
        return _bad(fields, error)


def _read(fields: dict[str, msgspec.Raw]) -> Read:
    """Return a row, field by field.

    Raises:
        UNREADABLE: which account it is, or its balance, cannot be read.
    """
    names = _names(fields)
    owner = names.participant_code or names.account_owner or ""
    label = DEFAULT_LABEL if names.account_label is None else names.account_label
    key = subaccount_of(owner, names.account_group, label), *names[:2]
    _check(owner, key)
    _check_owners(names.participant_code, names.account_owner)
    reference = _text_or_none(fields.get(REFERENCE)) or ""
    attributes = {REFERENCE: reference} if reference else {}
    for name, raw in fields.items():
        text = None if name in _OWN else _kept(name, raw)
        if text is not None:
            attributes[name] = text
    _check_length(attributes)
    if "balance" not in fields:
        raise ValueError("the row has no balance")
    return Read(key, amount_of(fields["balance"]), reference, attributes)


def _kept(name: str, raw: msgspec.Raw) -> str | None:
    """Return an attribute's text; documented fields may be null, others are kept."""
    documented = name in {"run_id", "run_type", "last_update"}
    return (_text_or_none(raw) or None) if documented else text_of(raw)


class _Names(NamedTuple):
    account_type: str
    asset: str
    account_group: str
    participant_code: str | None
    account_owner: str | None
    account_label: str | None


def _names(fields: dict[str, msgspec.Raw]) -> _Names:
    """Return the names of an account; a missing label is the default one's.

    Raises:
        UNREADABLE: one is missing, or no text.
    """
    required = [
        msgspec.json.decode(fields.get(name, _MISSING), type=str) for name in _NAMES[:3]
    ]
    optional = [
        msgspec.json.decode(fields.get(name, _MISSING), type=str | None)
        for name in (*_NAMES[3:], "account_label")
    ]
    return _Names(*required, *optional)


def _check(owner: str, key: Key) -> None:
    """Check the names of an account.

    Raises:
        ValueError: one is missing, or they are too long.
    """
    subaccount, word, code = key
    if not (owner and word and code):
        raise ValueError("the row does not name its account")
    if len(subaccount) + len(word) + len(code) > NAME_CHARS_MAX:
        raise ValueError(f"the names are longer than {NAME_CHARS_MAX} characters")


def _check_owners(first: str | None, second: str | None) -> None:
    if first and second and first != second:
        raise ValueError("the row names two owners")


def _check_length(attributes: dict[str, str]) -> None:
    if sum(map(len, [*attributes, *attributes.values()])) > TEXT_CHARS_MAX:
        raise ValueError(f"the row's texts are longer than {TEXT_CHARS_MAX} characters")


def _bad(fields: dict[str, msgspec.Raw], error: BaseException) -> BadRow:
    """Return a row that cannot be read, by its names if they can be."""
    try:
        names = _names(fields)
    except UNREADABLE:
        return BadRow("", None, str(error))
    owner = names.participant_code or names.account_owner or ""
    label = DEFAULT_LABEL if names.account_label is None else names.account_label
    key = subaccount_of(owner, names.account_group, label), *names[:2]
    return _bad_account(names.participant_code, names.account_owner, key, error)


def _bad_account(
    first: str | None, second: str | None, key: Key, error: BaseException
) -> BadRow:
    """Return a row that cannot be read; nameless if it may be any account's."""
    subaccount, word, code = key
    one_owner = (first or second) and not (first and second and first != second)
    if not (one_owner and word and code):
        return BadRow("", None, str(error))
    return BadRow(subaccount, code, str(error), word)


def _text_or_none(raw: msgspec.Raw | None) -> str | None:
    return None if raw is None or bytes(raw) == b"null" else text_of(raw)


def text_or_json(raw: msgspec.Raw) -> str:
    """Return a text as it is, anything else as its JSON, whatever it is."""
    try:
        return text_of(raw)
    except UNREADABLE:
        return bytes(raw).decode(errors="replace")
