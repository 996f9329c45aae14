"""The gauges: the one place where an amount becomes a float."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from prometheus_client import Gauge

from balance_metrics.state import UNITS, Series, State, Values
from balance_shared import telemetry

OTHER = "other"
"""Asset label of the balances that have no series."""


class Gauges:
    """Keeps the series of the process in step with a state."""

    def __init__(self) -> None:
        self._shown: set[Series] = set()
        self._others: set[tuple[str, str]] = set()

    def replace(self, state: State) -> None:
        """Show a state whole; series that it does not have go away."""
        self.show(state, self._shown | state.series())

    def show(self, state: State, series: Iterable[Series]) -> None:
        """Show what has become of some series."""
        changed = set(series)
        if not changed:
            return
        for one in changed:
            values = state.values(one)
            if values is not None:
                _set(one, values)
                self._shown.add(one)
            elif one in self._shown:
                _remove(one)
                self._shown.remove(one)
        self._count_others(state.not_exported())

    def _count_others(self, counts: Mapping[tuple[str, str], int]) -> None:
        for account in self._others - counts.keys():
            telemetry.BALANCES_NOT_EXPORTED.remove(*account, OTHER)
        for account, count in counts.items():
            telemetry.BALANCES_NOT_EXPORTED.labels(*account, OTHER).set(count)
        self._others = set(counts)


def _set(series: Series, values: Values) -> None:
    telemetry.BALANCE.labels(*series).set(values.balance / UNITS)
    telemetry.BALANCE_CHANGED.labels(*series).set(values.changed.timestamp())
    available, confirmed = values.available, values.confirmed
    _set_known(
        telemetry.BALANCE_AVAILABLE,
        series,
        None if available is None else available / UNITS,
    )
    _set_known(
        telemetry.BALANCE_CONFIRMED,
        series,
        None if confirmed is None else confirmed.timestamp(),
    )


def _set_known(gauge: Gauge, series: Series, value: float | None) -> None:
    """Set a value, or take the series away while there is none."""
    if value is not None:
        gauge.labels(*series).set(value)
        return
    with suppress(KeyError):
        gauge.remove(*series)


def _remove(series: Series) -> None:
    telemetry.BALANCE.remove(*series)
    telemetry.BALANCE_CHANGED.remove(*series)
    _set_known(telemetry.BALANCE_AVAILABLE, series, None)
    _set_known(telemetry.BALANCE_CONFIRMED, series, None)
