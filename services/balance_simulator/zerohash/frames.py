"""What the venue says on the stream, as text.

The shapes and the order of members are those of the examples on the page "Balances"
(private socket feed) and, for more than those show, of the guide "Balances websocket".
Amounts are strings, written from decimals, and never pass through float.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from balance_simulator.exact import rfc3339
from balance_simulator.zerohash.amounts import written
from balance_simulator.zerohash.ledger import Account, Change, Movement, Record, Run
from balance_simulator.zerohash.settings import IdForm, ZeroHashSettings
from balance_simulator.zerohash.signing import compact

PONG = '{"messageType":"pong"}'
_NS, _SHORT = 1_000, 6
# A deposit's reference stands before the change in the page's sample, the rest after.
_BEFORE_CHANGE, _CHANGE = {"deposit_reference_id"}, 3


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

    def message(self, kind: str, body: str) -> str:
        """Return a whole message around a body that was set for depth 1."""
        c = self.colon
        return self.put((f'"messageType"{c}"{kind}"', f'"body"{c}{body}'), 0)


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
        f'"balance"{c}"{balance}"',
        *_last_run(record, settings, c),
    ]
    return setting.put(members, 2)


def _last_run(record: Record, settings: ZeroHashSettings, c: str) -> list[str]:
    """Return what a picture says of the last run; many samples say nothing."""
    told = settings.snapshot_run
    if told == "mixed":
        told = ("known", "unknown", "missing")[record.number % 3]
    if told == "missing":
        return []
    run_type = "unknown" if told == "unknown" else record.run_type
    number = run_number(record.run_id, settings.snapshot_run_id)
    return [f'"run_id"{c}{number}', f'"run_type"{c}{quoted(run_type)}']


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
    account, c = change.account, setting.colon
    movements = [
        _movement(movement, run, settings, setting) for movement in change.movements
    ]
    # Written out, since load traffic makes thousands of these a second.
    members = [
        f'"participant_code"{c}{quoted(account.participant_code)}',
        f'"account_group"{c}{quoted(account.account_group)}',
        f'"account_label"{c}{quoted(account.account_label)}',
        f'"account_type"{c}{quoted(account.account_type)}',
        f'"asset"{c}{quoted(asset)}',
        f'"balance"{c}"{balance}"',
        f'"run_id"{c}{run_number(run.run_id, settings.update_run_id)}',
        f'"run_type"{c}{quoted(run.run_type)}',
        f'"movements"{c}{setting.put(movements, 2, "[]")}',
        f'"run_timestamp"{c}"{timestamp(run.at_ns, run.digits)}"',
    ]
    if settings.update_account_id:
        members.insert(0, f'"account_id"{c}"{account_id}"')
    return setting.message("balance-updated", setting.put(members, 1))


def _movement(
    movement: Movement, run: Run, settings: ZeroHashSettings, setting: Layout
) -> str:
    movement_id, kind, amount, at_ns, order, extra = movement
    change, c = written(amount, settings.amount_form, run.run_id + order), setting.colon
    members = [
        f'"movement_timestamp"{c}"{timestamp(at_ns, run.digits)}"',
        f'"movement_id"{c}"{movement_id}"',
        f'"movement_type"{c}{quoted(kind)}',
        f'"change"{c}"{change}"',
    ]
    for name, value in extra:
        text = f'"{name}"{c}{compact(value)}'
        members.insert(_CHANGE if name in _BEFORE_CHANGE else len(members), text)
    if settings.movement_extras:
        members.append(f'"order_id"{c}{order}')
    return setting.put(members, 3)
