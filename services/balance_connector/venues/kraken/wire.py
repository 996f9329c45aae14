"""What a frame of WebSocket v2 says, with every digit and every field.

Numbers become `Decimal` from their own text. A frame is read in one go where it is as
documented; where it is not, row by row, so that one bad row does not hide the others:
unknown fields are kept as text, and a row whose balance, identity or amounts cannot be
read comes back as a `BadRow`. Source: docs, WebSocket v2 "Balances".
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec.structs import replace

from balance_connector.amounts import amount_of
from balance_connector.rows import (
    TEXT_CHARS_MAX,
    UNREADABLE,
    BadRow,
    decoded,
    text_of,
)
from balance_schemas.decimals import exact
from balance_shared.errors import FrameInvalid

LONG_MAX = 2**63 - 1
"""Greatest number that a record holds."""


class Envelope(msgspec.Struct):
    """The outside of every frame; ``data`` is read when the channel is known."""

    channel: str | None = None
    type: str | None = None
    method: str | None = None
    sequence: Annotated[int, msgspec.Meta(ge=-LONG_MAX, le=LONG_MAX)] | None = None
    success: Any = None
    error: Any = None
    abuse: Any = msgspec.field(default=None, name="Error")
    data: msgspec.Raw = msgspec.Raw(b"")
    result: msgspec.Raw = msgspec.Raw(b"")


class WalletRow(msgspec.Struct, forbid_unknown_fields=True):
    """One wallet of an asset in a picture."""

    balance: Decimal
    type: str | None = None
    id: str | None = None


class PictureRow(msgspec.Struct, forbid_unknown_fields=True):
    """One asset in a picture; ``balance`` is the total over its wallets."""

    asset: str
    balance: Decimal
    asset_class: str | None = None
    wallets: list[WalletRow] | None = None


class UpdateRow(msgspec.Struct, forbid_unknown_fields=True):
    """One ledger entry of an update; see the docs for the fields."""

    asset: str
    amount: Decimal
    balance: Decimal
    fee: Decimal | None = None
    asset_class: str | None = None
    ledger_id: str | None = None
    ref_id: str | None = None
    timestamp: str | None = None
    type: str | None = None
    subtype: str | None = None
    category: str | None = None
    wallet_type: str | None = None
    wallet_id: str | None = None
    user: str | None = None


class _SentRow(UpdateRow, forbid_unknown_fields=True, kw_only=True):
    """The same before its amounts are known to be numbers; texts may be, too."""

    amount: Any
    balance: Any
    fee: Any = None


class Read(msgspec.Struct, frozen=True):
    """A row that was read, and the fields that we do not know, name to text.

    In a picture `of_wallets` has such fields for each wallet. `content` is a hash of
    an update's row as it was sent.
    """

    row: Any
    extras: dict[str, str]
    of_wallets: tuple[dict[str, str], ...] = ()
    content: int = 0


_DESCRIPTIVE = frozenset(
    {"asset_class", "ref_id", "timestamp", "type", "subtype", "category"}
)
"""Fields that change no balance: a value of another type is kept as its text."""

_NAMELESS = "the row names no asset"

_envelope = msgspec.json.Decoder(Envelope)
_picture = msgspec.json.Decoder(list[PictureRow])
_updates = msgspec.json.Decoder(list[_SentRow], float_hook=Decimal)
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])

_quoted = re.compile(rb'"balance"\s*:\s*"').search
"""Whether a picture has an amount written as a text, which is read with more care."""

S = TypeVar("S", bound=msgspec.Struct)


def read_envelope(frame: bytes) -> Envelope:
    """Return the outside of a frame.

    Raises:
        FrameInvalid: not a JSON object, or a field of the envelope has another type.
    """
    try:
        return decoded(_envelope, frame)
    except msgspec.ValidationError as error:
        raise FrameInvalid("invalid_frame", str(error)) from None
    except UNREADABLE as error:
        raise FrameInvalid("invalid_json", str(error)) from None


def read_picture(data: msgspec.Raw) -> list[Read | BadRow]:
    """Return the rows of a picture.

    Raises:
        FrameInvalid: ``data`` is not a list.
    """
    try:
        if not _quoted(data):
            return [_checked_picture(row) for row in _picture.decode(data)]
    except UNREADABLE:
        pass
    return _one_by_one(data, _read_picture_row)


def read_updates(data: msgspec.Raw) -> list[Read | BadRow]:
    """Return the rows of an update.

    Raises:
        FrameInvalid: ``data`` is not a list.
    """
    try:
        if memoryview(data).nbytes <= TEXT_CHARS_MAX:
            pairs = zip(_updates.decode(data), _rows.decode(data), strict=True)
            return [
                _checked_update(_with_numbers(row), {}, hash(bytes(raw)))
                for row, raw in pairs
            ]
    except UNREADABLE:
        pass
    return _one_by_one(data, _read_update_row)


def read_status(data: msgspec.Raw) -> str:
    """Return ``system`` of a status frame, "" if it cannot be read."""
    try:
        rows = msgspec.json.decode(data, type=list[dict[str, msgspec.Raw]])
        return text_of(rows[0]["system"]) if rows and "system" in rows[0] else ""
    except UNREADABLE:
        return ""


def read_warnings(result: msgspec.Raw) -> list[str]:
    """Return ``warnings`` of an acknowledgement, empty if there are none."""
    try:
        fields = _fields.decode(result)
        return msgspec.json.decode(fields.get("warnings", b"[]"), type=list[str])
    except UNREADABLE:
        return []


def _checked_picture(row: PictureRow, extras: dict[str, str] | None = None) -> Read:
    _require(row.asset, row.asset_class, *(extras or {}).values())
    exact(row.balance)
    for wallet in row.wallets or ():
        _require(row.asset, wallet.type, wallet.id)
        exact(wallet.balance)
    return Read(row, extras or {})


def _checked_update(row: UpdateRow, extras: dict[str, str], content: int = 0) -> Read:
    """Return a row whose texts are known to be short."""
    if not row.asset:
        raise ValueError(_NAMELESS)
    exact(row.balance)
    exact(row.amount)
    if row.fee is not None:
        exact(row.fee)
    return Read(row, extras, content=content)


def _with_numbers(row: _SentRow) -> UpdateRow:
    """Return a row with its amounts as Decimals.

    Raises:
        ValueError: one was sent as something else; a text is read with more care.
    """
    if type(row.amount) is not Decimal:
        row.amount = _number(row.amount)
    if type(row.balance) is not Decimal:
        row.balance = _number(row.balance)
    if row.fee is not None and type(row.fee) is not Decimal:
        row.fee = _number(row.fee)
    return row


def _number(value: object) -> Decimal:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no number")
    return Decimal(value)


def _require(asset: str, *texts: str | None) -> None:
    if not asset:
        raise ValueError(_NAMELESS)
    if len(asset) + sum(len(text) for text in texts if text) > TEXT_CHARS_MAX:
        raise ValueError(f"the row's texts are longer than {TEXT_CHARS_MAX} characters")


def _one_by_one(
    data: msgspec.Raw, read: Callable[[dict[str, msgspec.Raw]], Read]
) -> list[Read | BadRow]:
    try:
        rows = _rows.decode(data)
    except UNREADABLE as error:
        raise FrameInvalid("invalid_frame", f"data is no list: {error}") from None
    return [_read_row(row, read) for row in rows]


def _read_row(
    raw: msgspec.Raw, read: Callable[[dict[str, msgspec.Raw]], Read]
) -> Read | BadRow:
    try:
        fields = _fields.decode(raw)
    except UNREADABLE as error:
        return BadRow("", None, str(error))
    try:
        return replace(read(fields), content=hash(bytes(raw)))
    except UNREADABLE as error:
        asset = _named(fields, "asset")
        return BadRow(_named(fields, "user") or "", asset, str(error))


def _read_picture_row(fields: dict[str, msgspec.Raw]) -> Read:
    wallets = fields.pop("wallets", None)
    row, extras = _struct(fields, PictureRow)
    raws = msgspec.json.decode(
        wallets or b"null", type=list[dict[str, msgspec.Raw]] | None
    )
    read = [_struct(wallet, WalletRow) for wallet in raws or ()]
    row.wallets = [wallet for wallet, _ in read]
    checked = _checked_picture(row, extras)
    for _, more in read:
        _require(row.asset, *more.values())
    return replace(checked, of_wallets=tuple(more for _, more in read))


def _read_update_row(fields: dict[str, msgspec.Raw]) -> Read:
    row, extras = _struct(fields, UpdateRow)
    _require(row.asset, row.ledger_id, row.ref_id, row.timestamp, row.type)
    _require(row.asset, row.subtype, row.category, row.asset_class, row.wallet_type)
    _require(row.asset, row.wallet_id, row.user, *extras.values())
    return _checked_update(row, extras)


def _struct(fields: dict[str, msgspec.Raw], shape: type[S]) -> tuple[S, dict[str, str]]:
    """Return the fields as a struct, and those it does not have as texts."""
    hints = get_type_hints(shape)
    descriptive = _DESCRIPTIVE if shape is not WalletRow else frozenset[str]()
    known = {
        name: _text_or_none(raw) if name in descriptive else _value(raw, hints[name])
        for name, raw in fields.items()
        if name in hints
    }
    extras = {name: text_of(raw) for name, raw in fields.items() if name not in hints}
    try:
        return shape(**known), extras
    except TypeError as error:
        raise ValueError(str(error)) from None


def _value(raw: msgspec.Raw, hint: Any) -> Any:
    """Return a field that a balance hangs on, as its type."""
    amounts = Decimal, Decimal | None
    if hint not in amounts or (bytes(raw) == b"null" and hint is not Decimal):
        return msgspec.json.decode(raw, type=hint)
    return amount_of(raw)


def _text_or_none(raw: msgspec.Raw) -> str | None:
    return None if bytes(raw) == b"null" else text_of(raw)


def _named(fields: dict[str, msgspec.Raw], name: str) -> str | None:
    try:
        return msgspec.json.decode(fields[name], type=str) or None
    except (KeyError, *UNREADABLE):
        return None
