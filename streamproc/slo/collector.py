"""How objectives stand, on the Prometheus page."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamproc.core import NS_PER_S
from streamproc.slo.counts import LabelCounts
from streamproc.slo.evaluator import Evaluator
from streamproc.slo.watch import Standing
from streamproc.slo.windows import duration_text
from streamproc.telemetry import names


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
        standings = self._evaluator.standings
        yield from (family for family in self._standings(standings) if family.samples)
        yield from self._counters()

    def _standings(self, standings: Sequence[Standing]) -> Iterator[Metric]:
        plain = ("pipeline", "slo")
        promised = GaugeMetricFamily(
            names.SLO_OBJECTIVE, "The share that is to be good.", labels=plain
        )
        left = GaugeMetricFamily(
            names.SLO_BUDGET_LEFT, "The share of the period's budget that is left.", labels=plain
        )
        burns = GaugeMetricFamily(
            names.SLO_BURN,
            "How many times faster than the budget allows it burns.",
            labels=(*plain, "window"),
        )
        firing = GaugeMetricFamily(
            names.SLO_FIRING, "Alerts that fire.", labels=(*plain, "severity")
        )
        open_s = GaugeMetricFamily(
            names.SLO_SESSION, "For how long the session has been open.", labels=plain
        )
        acting = GaugeMetricFamily(
            names.SLO_ACTING, "1 while something is done about it (on_burn).", labels=plain
        )
        for standing in standings:
            objective = standing.objective
            whose = (self._pipeline, objective.name)
            promised.add_metric(whose, 1.0 - objective.budget)
            left.add_metric(whose, standing.budget_left)
            rates: dict[int, float] = {}
            for burn in standing.burns:
                rates |= {burn.pair.long_ns: burn.long, burn.pair.short_ns: burn.short}
            for length_ns, rate in sorted(rates.items()):
                burns.add_metric((*whose, duration_text(length_ns)), rate)
            for severity, count in standing.firing.items():
                firing.add_metric((*whose, severity), count)
            if standing.since_open_ns is not None:
                open_s.add_metric(whose, standing.since_open_ns / NS_PER_S)
            if (brake := self._evaluator.brakes.get(objective.name)) is not None:
                acting.add_metric(whose, float(brake.engaged))
        yield from (promised, left, burns, firing, open_s, acting)

    def _counters(self) -> Iterator[Metric]:
        labels = CounterMetricFamily(
            names.LABELS,
            "Decisions by what their labels said of them.",
            labels=("pipeline", "slo", "result"),
        )
        for name, counts in self._labels().items():
            for result, count in counts._asdict().items():
                labels.add_metric((self._pipeline, name, result), count)
        sent = CounterMetricFamily(names.ALERTS_SENT, "Alerts that were taken.", labels=("to",))
        failed = CounterMetricFamily(
            names.ALERTS_FAILED, "Tries to send alerts that failed.", labels=("to",)
        )
        for place, (taken, missed) in self._delivered().items():
            sent.add_metric((place,), taken)
            failed.add_metric((place,), missed)
        yield from (family for family in (labels, sent, failed) if family.samples)
