"""How objectives stand, on the Prometheus page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streamproc.core import NS_PER_S
from streamproc.slo.counts import LabelCounts
from streamproc.slo.evaluator import Evaluator
from streamproc.slo.watch import Standing
from streamproc.slo.windows import duration_text
from streamproc.telemetry import family, names

Values: TypeAlias = dict[tuple[str, ...], float]
"""By labels."""


class SloCollector(Collector):
    """Reads what the last look at the books has shown.

    Args:
        pipeline: its name.
        evaluator: has looked.
        labels: what labels said, by objective.
        delivered: by place, alerts that were taken and tries that were not.
    """

    def __init__(
        self,
        pipeline: str,
        evaluator: Evaluator,
        *,
        labels: Callable[[], Mapping[str, LabelCounts]],
        delivered: Callable[[], Mapping[str, tuple[int, int]]],
    ) -> None:
        self._pipeline = pipeline
        self._evaluator = evaluator
        self._labels = labels
        self._delivered = delivered

    def collect(self) -> Iterator[Metric]:
        """All families, in a fixed order; what no objective has is left out."""
        by_name = {**self._standings(self._evaluator.standings), **self._counters()}
        yield from (family(name, values) for name, values in by_name.items() if values)

    def _standings(self, standings: Sequence[Standing]) -> dict[str, Values]:
        promised: Values = {}
        left: Values = {}
        burns: Values = {}
        firing: Values = {}
        open_s: Values = {}
        acting: Values = {}
        for standing in standings:
            objective = standing.objective
            whose = (self._pipeline, objective.name)
            promised[whose] = 1.0 - objective.budget
            left[whose] = standing.budget_left
            rates: dict[int, float] = {}
            for burn in standing.burns:
                rates |= {burn.pair.long_ns: burn.long, burn.pair.short_ns: burn.short}
            for length_ns, rate in sorted(rates.items()):
                burns[*whose, duration_text(length_ns)] = rate
            for severity, count in standing.firing.items():
                firing[*whose, severity] = count
            if standing.since_open_ns is not None:
                open_s[whose] = standing.since_open_ns / NS_PER_S
            if (brake := self._evaluator.brakes.get(objective.name)) is not None:
                acting[whose] = float(brake.engaged)
        return {
            names.SLO_OBJECTIVE: promised,
            names.SLO_BUDGET_LEFT: left,
            names.SLO_BURN: burns,
            names.SLO_FIRING: firing,
            names.SLO_SESSION: open_s,
            names.SLO_ACTING: acting,
        }

    def _counters(self) -> dict[str, Values]:
        delivered = self._delivered()
        return {
            names.LABELS: {
                (self._pipeline, name, result): count
                for name, counts in self._labels().items()
                for result, count in counts._asdict().items()
            },
            names.ALERTS_SENT: {(place,): taken for place, (taken, _) in delivered.items()},
            names.ALERTS_FAILED: {(place,): missed for place, (_, missed) in delivered.items()},
        }
