"""The records of the bus as frozen, slotted types that check themselves once.

Fields, units and meaning are documented in ``avro/*.avsc``, the source of this file;
a test holds names, order, types and nullability of the two together. Building a record
that breaks an invariant raises `RecordUnfitError`: an amount that does not fit
``decimal(38, 18)``, a time that is not in UTC, an empty name.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any, ClassVar, cast

import msgspec
from msgspec.structs import asdict

from balance_schemas.decimals import QUANTUM, AmountUnfitError, exact, quantized
from balance_schemas.keys import account_key, balance_key, status_key

_UTC_OFFSET = timedelta(0)


class RecordUnfitError(ValueError):
    """A record breaks an invariant; the text names the record, field and value."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: checks its amounts, times and names when it is built."""

    NAMED: ClassVar[tuple[str, ...]] = ()
    """Text fields that must not be empty."""

    _fits: ClassVar[Any]  # a function of a record: whether all is well

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the check of the type's records once."""
        super().__init_subclass__(**options)
        cls._fits = staticmethod(_check_of(cls.__annotations__, cls.NAMED))

    def __post_init__(self) -> None:
        """Check the invariants that hold for every record."""
        try:
            if self._fits(self):
                return
        except DecimalException:
            pass
        self._refuse()

    def _refuse(self) -> None:
        """Say which field breaks an invariant; a time in another zone may be UTC."""
        name, values = type(self).__name__, asdict(self)
        for field, value in values.items():
            if isinstance(value, Decimal):
                try:
                    exact(value)
                except AmountUnfitError as error:
                    raise RecordUnfitError(f"{name}.{field}: {error}") from None
        for field, value in values.items():
            if isinstance(value, datetime) and value.utcoffset() != _UTC_OFFSET:
                raise RecordUnfitError(f"{name}.{field}: {value} is not in UTC")
        for field in self.NAMED:
            if not values[field]:
                raise RecordUnfitError(f"{name}.{field} is empty")


def _check_of(
    fields: Mapping[str, Any], named: Sequence[str]
) -> Callable[[Record], object]:
    """Return ``lambda r: <all is well>``, with the fields written out.

    It costs half of what a loop over the fields does, and every record is checked.
    What it does not let pass, or fails at, is looked at again to say why.
    """
    fits, is_utc = "quantized({}, quantum).is_finite()", "{}.tzinfo is utc"
    nullable = "((v := r.{}) is None or {})"
    terms = [f"r.{name}" for name in named]
    for name, kind in fields.items():
        for type_, term in ((Decimal, fits), (datetime, is_utc)):
            if kind == type_:
                terms.append(term.format(f"r.{name}"))
            elif kind == type_ | None:
                terms.append(nullable.format(name, term.format("v")))
    known = {"quantized": quantized, "quantum": QUANTUM, "utc": UTC}
    text = " and ".join(terms) or "True"
    return cast("Callable[[Record], object]", eval(f"lambda r: {text}", known))  # noqa: S307 — nothing in it is from outside


class Movement(Record, frozen=True, kw_only=True):
    """One ledger line of the venue behind an event; see ``BalanceEvent.avsc``."""

    movement_id: str
    reference_id: str | None = None
    type: str = ""
    subtype: str | None = None
    category: str | None = None
    amount: Decimal | None = None
    fee: Decimal | None = None
    change: Decimal | None = None
    occurred_at: datetime | None = None
    occurred_at_text: str | None = None
    attributes: dict[str, str] = {}


class BalanceEvent(Record, frozen=True, kw_only=True):
    """What a venue said one wallet holds of one asset; see ``BalanceEvent.avsc``."""

    NAMED = ("event_id", "venue", "account", "wallet", "asset", "kind")

    event_id: str
    venue: str
    account: str
    subaccount: str
    feed: str
    wallet: str
    wallet_id: str
    nature: str
    asset: str
    venue_asset: str
    asset_class: str
    network: str
    kind: str
    balance: Decimal
    available: Decimal | None = None
    delta: Decimal | None = None
    reported_balance: Decimal | None = None
    balance_scope: str
    movements: tuple[Movement, ...] = ()
    venue_time: datetime | None = None
    received_at: datetime
    epoch: int
    sequence: int | None = None
    snapshot_id: str | None = None
    snapshot_index: int | None = None
    snapshot_size: int | None = None
    attributes: dict[str, str] = {}

    @property
    def key(self) -> str:
        """The balance key; see `balance_schemas.keys.balance_key`."""
        return balance_key(
            self.venue,
            self.account,
            self.subaccount,
            self.wallet,
            self.wallet_id,
            self.asset,
        )


class RawFrame(Record, frozen=True, kw_only=True):
    """A venue's message or answer as received; see ``RawFrame.avsc``."""

    NAMED = ("venue", "account", "feed", "source")

    venue: str
    account: str
    feed: str
    epoch: int
    index: int
    received_at: datetime
    source: str
    part: int
    parts: int
    payload: bytes
    attributes: dict[str, str] = {}

    @property
    def key(self) -> str:
        """The account key."""
        return account_key(self.venue, self.account)


class ConnectorStatus(Record, frozen=True, kw_only=True):
    """How one feed of one account is doing; see ``ConnectorStatus.avsc``."""

    NAMED = ("venue", "account", "feed", "state")

    venue: str
    account: str
    feed: str
    state: str
    reason: str
    epoch: int
    since: datetime
    last_message_at: datetime | None = None
    last_event_at: datetime | None = None
    confirmed_at: datetime | None = None
    sequence: int | None = None
    instance: str
    version: str
    backfill_since: datetime | None = None

    @property
    def key(self) -> str:
        """The account key and the feed."""
        return status_key(self.venue, self.account, self.feed)


class Difference(Record, frozen=True, kw_only=True):
    """A balance on which stream and REST disagree; see ``Reconciliation.avsc``."""

    subaccount: str
    wallet: str
    wallet_id: str
    asset: str
    streamed: Decimal | None = None
    observed: Decimal | None = None
    residual: Decimal
    cause: str


class Reconciliation(Record, frozen=True, kw_only=True):
    """One comparison of stream and REST; see ``Reconciliation.avsc``."""

    NAMED = ("venue", "account", "verdict")

    venue: str
    account: str
    requested_at: datetime
    answered_at: datetime
    verdict: str
    checked: int
    differences: tuple[Difference, ...] = ()

    @property
    def key(self) -> str:
        """The account key."""
        return account_key(self.venue, self.account)


class BalanceProof(Record, frozen=True, kw_only=True):
    """The verdict on one balance; see ``BalanceProof.avsc``."""

    NAMED = ("venue", "account", "wallet", "asset", "verdict")

    venue: str
    account: str
    subaccount: str
    wallet: str
    wallet_id: str
    asset: str
    verdict: str
    method: str
    reason: str
    expected: Decimal | None = None
    observed: Decimal | None = None
    residual: Decimal | None = None
    proven_through: datetime | None = None
    checked_at: datetime
    last_event_id: str

    @property
    def key(self) -> str:
        """The balance key; see `balance_schemas.keys.balance_key`."""
        return balance_key(
            self.venue,
            self.account,
            self.subaccount,
            self.wallet,
            self.wallet_id,
            self.asset,
        )


class Acknowledgement(Record, frozen=True, kw_only=True):
    """What does not add up is settled by hand; see ``Acknowledgement.avsc``."""

    NAMED = ("venue", "account", "wallet", "asset", "by")

    venue: str
    account: str
    subaccount: str
    wallet: str
    wallet_id: str
    asset: str
    through: datetime
    acknowledged_at: datetime
    by: str
    note: str
    residual: Decimal | None = None

    @property
    def key(self) -> str:
        """The balance key; see `balance_schemas.keys.balance_key`."""
        return balance_key(
            self.venue,
            self.account,
            self.subaccount,
            self.wallet,
            self.wallet_id,
            self.asset,
        )


class Alert(Record, frozen=True, kw_only=True):
    """The state of one rule on one balance; see ``Alert.avsc``."""

    NAMED = ("alert_id", "rule", "state")

    alert_id: str
    rule: str
    severity: str
    state: str
    labels: dict[str, str] = {}
    value: Decimal | None = None
    threshold: Decimal | None = None
    summary: str
    description: str
    started_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    attributes: dict[str, str] = {}

    @property
    def key(self) -> str:
        """The alert's id."""
        return self.alert_id


class DeadLetter(Record, frozen=True, kw_only=True):
    """Something that a service could not read; see ``DeadLetter.avsc``."""

    NAMED = ("service", "reason")

    venue: str = ""
    account: str = ""
    service: str
    reason: str
    error: str
    source_topic: str | None = None
    source_partition: int | None = None
    source_offset: int | None = None
    feed: str | None = None
    epoch: int | None = None
    index: int | None = None
    received_at: datetime
    payload: bytes
    payload_size: int

    @property
    def key(self) -> str | None:
        """The account key, or None where no account is known."""
        return account_key(self.venue, self.account) if self.venue else None
