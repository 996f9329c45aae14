"""What the venue says on the stream, as text.

The shapes and the order of members are those of the examples on the page "Balances"
(private socket feed) and, for more than those show, of the guide "Balances websocket".
Amounts are strings, written from decimals, and never pass through float.
"""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from balance_simulator.exact import rfc3339
from balance_simulator.zerohash.amounts import written
from balance_simulator.zerohash.ledger import Account, Change, Movement, Record, Run
from balance_simulator.zerohash.settings import IdForm, ZeroHashSettings

PONG = '{"messageType":"pong"}'
_NS, _SHORT = 1_000, 6
# A deposit's reference stands before the change in the page's sample, the rest after.
_BEFORE_CHANGE = {"deposit_reference_id"}


@functools.lru_cache(maxsize=65_536)
def quoted(text: str) -> str:
    """Return a JSON string; ``e₹`` stays as it is."""
    return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Layout:
    """How JSON is set: on one line, or with four spaces as the pages print it."""

    colon: str
    step: str

    def put(self, members: Sequence[str], depth: int, brackets: str = "{}") -> str:
        """Return an object (or with ``[]`` an array) that stands at a depth."""
        if not members or not self.step:
            return f"{brackets[0]}{','.join(members)}{brackets[1]}"
        inner = f"\n{self.step * (depth + 1)}"
        text = f",{inner}".join(members)
        return f"{brackets[0]}{inner}{text}\n{self.step * depth}{brackets[1]}"

    def members(self, pairs: Iterable[tuple[str, str]]) -> list[str]:
        """Return members of an object from names and JSON texts."""
        return [f'"{name}"{self.colon}{value}' for name, value in pairs]

    def message(self, kind: str, body: str) -> str:
        """Return a whole message around a body that was set for depth 1."""
        pairs = (("messageType", quoted(kind)), ("body", body))
        return self.put(self.members(pairs), 0)


COMPACT, INDENTED = Layout(":", ""), Layout(": ", "    ")


def layout(settings: ZeroHashSettings) -> Layout:
    """Return the layout that the settings ask for."""
    return INDENTED if settings.indent else COMPACT


def timestamp(at_ns: int, digits: int) -> str:
    """Write a time with 6 or 9 fraction digits (both are seen), UTC."""
    microseconds, rest = divmod(at_ns, _NS)
    text = rfc3339(microseconds)
    return text if digits == _SHORT else f"{text[:-1]}{rest:03d}Z"


def run_number(run_id: int, form: IdForm) -> str:
    """Write a run's id as a number or as text; mixed: every other one."""
    text = form == "text" or (form == "mixed" and run_id % 2)
    return f'"{run_id}"' if text else str(run_id)


def notice(kind: str, text: str) -> str:
    """Return a message whose body is a text: an ack, or an error.

    An ack has this form on the prices feed; the form of errors is not documented.
    """
    return COMPACT.message(kind, quoted(text))


def owner(account: Account, asset: str) -> list[tuple[str, str]]:
    """Return the members that say which account it is, as the stream names them."""
    return [
        ("participant_code", quoted(account.participant_code)),
        ("account_group", quoted(account.account_group)),
        ("account_label", quoted(account.account_label)),
        ("account_type", quoted(account.account_type)),
        ("asset", quoted(asset)),
    ]


def picture_row(
    account: Account,
    record: Record,
    asset: str,
    balance: str,
    settings: ZeroHashSettings,
    setting: Layout,
) -> str:
    """Return one row of ``initial-balance``.

    Args:
        account: whose.
        record: its id and its last run.
        asset: the name told.
        balance: the balance as text.
        settings: what is told of the run.
        setting: how it is set.
    """
    # Written out, since a picture may have 100,000 of these.
    c = setting.colon
    members = [
        f'"account_id"{c}"{record.account_id}"',
        f'"participant_code"{c}{quoted(account.participant_code)}',
        f'"account_group"{c}{quoted(account.account_group)}',
        f'"account_label"{c}{quoted(account.account_label)}',
        f'"account_type"{c}{quoted(account.account_type)}',
        f'"asset"{c}{quoted(asset)}',
        f'"balance"{c}{quoted(balance)}',
        *setting.members(_last_run(record, settings)),
    ]
    return setting.put(members, 2)


def _last_run(record: Record, settings: ZeroHashSettings) -> list[tuple[str, str]]:
    """Return what a picture says of the last run; many samples say nothing."""
    told = settings.snapshot_run
    if told == "mixed":
        told = ("known", "unknown", "missing")[record.number % 3]
    if told == "missing":
        return []
    run_type = "unknown" if told == "unknown" else record.run_type
    number = run_number(record.run_id, settings.snapshot_run_id)
    return [("run_id", number), ("run_type", quoted(run_type))]


def picture(rows: Sequence[str], setting: Layout) -> str:
    """Return ``initial-balance`` around rows: one message, however many there are."""
    return setting.message("initial-balance", setting.put(rows, 1, "[]"))


def update(
    run: Run,
    change: Change,
    asset: str,
    balance: str,
    settings: ZeroHashSettings,
    account_id: str,
) -> str:
    """Return ``balance-updated``: what one run did to one account.

    Args:
        run: the run.
        change: its part of this account.
        asset: the name told.
        balance: the balance after the run, as text.
        settings: the choices made.
        account_id: told where the settings say so.
    """
    setting = layout(settings)
    known = [("account_id", quoted(account_id))] if settings.update_account_id else []
    movements = [
        _movement(movement, run, settings, setting) for movement in change.movements
    ]
    pairs = [
        *known,
        *owner(change.account, asset),
        ("balance", quoted(balance)),
        ("run_id", run_number(run.run_id, settings.update_run_id)),
        ("run_type", quoted(run.run_type)),
        ("movements", setting.put(movements, 2, "[]")),
        ("run_timestamp", f'"{timestamp(run.at_ns, run.digits)}"'),
    ]
    body = setting.put(setting.members(pairs), 1)
    return setting.message("balance-updated", body)


def _movement(
    movement: Movement, run: Run, settings: ZeroHashSettings, setting: Layout
) -> str:
    change = written(movement.change, settings.amount_form, run.run_id + movement.order)
    extra = dict(movement.extra)
    first = {name: extra.pop(name) for name in _BEFORE_CHANGE & extra.keys()}
    pairs = [
        ("movement_timestamp", f'"{timestamp(movement.at_ns, run.digits)}"'),
        ("movement_id", quoted(movement.movement_id)),
        ("movement_type", quoted(movement.movement_type)),
        *_values(first),
        ("change", quoted(change)),
        *_values(extra),
    ]
    if settings.movement_extras:
        pairs.append(("order_id", str(movement.order)))
    return setting.put(setting.members(pairs), 3)


def _values(extra: Mapping[str, str | int | None]) -> list[tuple[str, str]]:
    return [
        (name, quoted(value) if isinstance(value, str) else json.dumps(value))
        for name, value in extra.items()
    ]
