"""The gauges of what is proven; see ``gauges.py`` for the balances."""

from balance_metrics.proofs import Proofs, Proven
from balance_metrics.state import Series
from balance_shared import telemetry
from balance_shared.watermark import WORST_FIRST


class ProofGauges:
    """Keeps the series of the process in step with what is proven."""

    def __init__(self) -> None:
        self._shown: dict[Series, Proven] = {}

    def show(self, proofs: Proofs) -> None:
        """Show what has become of everything; series that are gone go away."""
        now = dict(proofs.series())
        for series in self._shown.keys() - now.keys():
            _remove(series, self._shown[series])
        for series, proven in now.items():
            if self._shown.get(series) != proven:
                _set(series, proven, self._shown.get(series))
        self._shown = now
        through = proofs.watermark()
        telemetry.PROVEN_WATERMARK.set(through.timestamp() if through else 0)


def _set(series: Series, proven: Proven, before: Proven | None) -> None:
    for verdict in WORST_FIRST:
        gauge = telemetry.PROOF_VERDICT.labels(*series, verdict)
        gauge.set(verdict == proven.verdict)
    if proven.through is not None:
        telemetry.PROVEN_THROUGH.labels(*series).set(proven.through.timestamp())
    elif before is not None and before.through is not None:
        telemetry.PROVEN_THROUGH.remove(*series)


def _remove(series: Series, before: Proven) -> None:
    for verdict in WORST_FIRST:
        telemetry.PROOF_VERDICT.remove(*series, verdict)
    if before.through is not None:
        telemetry.PROVEN_THROUGH.remove(*series)
