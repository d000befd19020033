"""The same counts as ``counts.py``, as PromQL over the pipeline's metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamproc.core import NS_PER_S
from streamproc.slo.counts import WANTED, good_endings
from streamproc.slo.options import Objective
from streamproc.telemetry import names


@dataclass(frozen=True, slots=True)
class Series:
    """Counters of one metric.

    Attributes:
        metric: its name.
        labels: that its series must have; several words for one label stand with ``|`` between them.
    """

    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def selector(self, more: str = "") -> str:
        """As PromQL selects them.

        Args:
            more: matchers beside them, such as ``job="ticks"``.
        """
        matchers = [
            f"{name}{'=~' if '|' in value else '='}{quoted(value)}"
            for name, value in self.labels.items()
        ]
        matchers += [more] if more else []
        return f"{self.metric}{{{','.join(matchers)}}}" if matchers else self.metric


@dataclass(frozen=True, slots=True)
class Indicator:
    """What an objective counts.

    Attributes:
        total: all events.
        part: the bad ones, or the good ones.
        part_is_bad: which.
    """

    total: Series
    part: Series
    part_is_bad: bool

    def total_in(self, window: str, more: str = "") -> str:
        """How many events came in a window."""
        return f"sum(increase({self.total.selector(more)}[{window}]))"

    def bad_in(self, window: str, more: str = "") -> str:
        """How many of them were bad; 0 where no such series exists."""
        part = f"sum(increase({self.part.selector(more)}[{window}]))"
        if self.part_is_bad:
            return f"({part} or vector(0))"
        return f"({self.total_in(window, more)} - {part})"


def indicator_of(pipeline: str, objective: Objective) -> Indicator:
    """The series that an objective is counted from.

    Args:
        pipeline: its name.
        objective: which.
    """
    if objective.labels is not None:
        labels = {"pipeline": pipeline, "slo": objective.name}
        return Indicator(
            Series(names.LABELS, labels),
            Series(names.LABELS, {**labels, "result": "wrong"}),
            part_is_bad=True,
        )
    if objective.latency is not None:
        return _within(names.E2E_LATENCY, int(objective.latency), {})
    if objective.freshness is not None:
        return _within(names.STAGE_LATENCY, int(objective.freshness), {"stage": "broker"})
    labels = {"pipeline": pipeline}
    if objective.lane is not None:
        labels["lane"] = objective.lane
    bad = [word for word in WANTED if word not in good_endings(objective)]
    return Indicator(
        Series(names.OUTCOMES, {**labels, "outcome": "|".join(WANTED)}),
        Series(names.OUTCOMES, {**labels, "outcome": "|".join(bad)}),
        part_is_bad=True,
    )


def _within(metric: str, bound_ns: int, labels: Mapping[str, str]) -> Indicator:
    le = repr(bound_ns / NS_PER_S)
    return Indicator(
        Series(f"{metric}_count", labels),
        Series(f"{metric}_bucket", {**labels, "le": le}),
        part_is_bad=False,
    )


def quoted(text: str) -> str:
    """A string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
